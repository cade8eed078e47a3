"""An Ethernet hub for a few machines: each frame goes to all others, and nowhere else."""

from __future__ import annotations

import contextlib
import selectors
import socket
import threading

_FRAME = 65536


class Hub:
    """A hub that copies Ethernet frames between sockets. It needs no root, port or file."""

    def __init__(self) -> None:
        self._selector = selectors.DefaultSelector()
        self._stop, self._stopper = socket.socketpair()
        self._selector.register(self._stop, selectors.EVENT_READ)
        self._lock = threading.Lock()
        self._ports: list[socket.socket] = []
        self._thread = threading.Thread(target=self._serve, name="network hub", daemon=True)
        self._thread.start()

    def port(self) -> socket.socket:
        """Return a datagram socket, one frame per datagram. The caller closes it once QEMU has it."""
        mine, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        mine.setblocking(False)
        with self._lock:
            self._ports.append(mine)
            self._selector.register(mine, selectors.EVENT_READ)
        return theirs

    def close(self) -> None:
        self._stopper.close()
        self._thread.join()
        for port in (*self._ports, self._stop):
            port.close()
        self._selector.close()

    def _serve(self) -> None:
        while True:
            for key, _ in self._selector.select():
                if key.fileobj is self._stop:
                    return
                if isinstance(key.fileobj, socket.socket):
                    self._carry(key.fileobj)

    def _carry(self, source: socket.socket) -> None:
        try:
            frame = source.recv(_FRAME)
        except OSError:
            return
        with self._lock:
            others = [port for port in self._ports if port is not source]
        for port in others:
            # A machine that does not keep up, or is gone, loses frames as on any network.
            with contextlib.suppress(OSError):
                port.send(frame)

"""User-mode networking as seen from the host: every connection is accepted, whatever the guest does."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from collections.abc import Callable

SILENT = "silent"
REFUSING = "refusing"
OPEN = "open"


class Forward:
    """The host's side of one forwarded port. `serve` gets each connection the guest answers."""

    def __init__(self, serve: Callable[[socket.socket], None]) -> None:
        self._serve = serve
        self._state = SILENT
        self._held: list[socket.socket] = []
        self._lock = threading.Lock()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, name="forward", daemon=True).start()

    def become(self, state: str) -> None:
        """Connections held so far meet the guest's new state, as its late answer to their SYN would."""
        with self._lock:
            self._state = state
            waiting, self._held = self._held, []
        for connected in waiting:
            self._meet(connected)

    def _accept(self) -> None:
        while True:
            connected, _ = self._listener.accept()
            connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._meet(connected)

    def _meet(self, connected: socket.socket) -> None:
        with self._lock:
            state = self._state
            if state == SILENT:
                self._held.append(connected)
        if state == REFUSING:
            reset(connected)
        elif state == OPEN:
            self._serve(connected)


def reset(connected: socket.socket) -> None:
    """Close with an RST instead of a FIN."""
    with contextlib.suppress(OSError):
        connected.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connected.close()

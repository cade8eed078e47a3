"""A TCP port for programs of this host that cannot connect to abstract Unix sockets."""

from __future__ import annotations

import contextlib
import socket
import threading

from harness.services.acceptor import Acceptor
from harness.services.listener import Listener

_PIECE = 256 * 1024


class HostPort:
    """A TCP port on this host's loopback that leads to a listener. The kernel chose the number."""

    def __init__(self, listener: Listener) -> None:
        port = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        port.bind(("127.0.0.1", 0))
        self.number: int = port.getsockname()[1]
        self._listener = listener
        self._acceptor = Acceptor(port, self._carry, name=f"port {self.number}")

    def close(self) -> None:
        self._acceptor.close()

    def _carry(self, caller: socket.socket) -> None:
        with self._listener.connect() as service:
            back = threading.Thread(target=_copy, args=(service, caller), daemon=True)
            back.start()
            _copy(caller, service)
            back.join()


def _copy(source: socket.socket, target: socket.socket) -> None:
    """Copy until `source` ends, then end `target`; nothing can be read from `source` afterwards."""
    with contextlib.suppress(OSError):
        while data := source.recv(_PIECE):
            target.sendall(data)
    for end, how in ((target, socket.SHUT_WR), (source, socket.SHUT_RD)):
        with contextlib.suppress(OSError):
            end.shutdown(how)

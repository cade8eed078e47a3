"""The socket of a service on this host: an abstract Unix socket, which vanishes with its process."""

from __future__ import annotations

import secrets
import socket
from pathlib import Path

from harness.services.acceptor import Acceptor, Serve


class Listener:
    """An abstract Unix socket (unix(7)) with a unique name: no file, no port, nothing left after a SIGKILL.

    The name stays when the socket is closed and opened again, so that a guest finds a restarted service.
    """

    def __init__(self, label: str) -> None:
        self.socket = f"kola-{label}-{secrets.token_hex(8)}"
        self._acceptor: Acceptor | None = None

    @property
    def address(self) -> str:
        """The address for connect(2)."""
        return "\0" + self.socket

    @property
    def listening(self) -> bool:
        """Return True when a process listens, according to /proc/net/unix, without a connection."""
        wanted = f" @{self.socket}"
        with Path("/proc/net/unix").open(encoding="utf-8", errors="replace") as table:
            return any(line.rstrip().endswith(wanted) and " 00010000 " in line for line in table)

    def connect(self) -> socket.socket:
        """Connect as the guest does. Raises OSError when nobody listens."""
        made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            made.connect(self.address)
        except OSError:
            made.close()
            raise
        return made

    def open(self, serve: Serve) -> None:
        """Listen, and call `serve` with each connection in a thread of its own."""
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        listener.bind(self.address)
        self._acceptor = Acceptor(listener, serve, name=self.socket)

    def close(self) -> None:
        """Stop listening and end open connections."""
        if self._acceptor is not None:
            self._acceptor.close()
            self._acceptor = None

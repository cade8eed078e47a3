"""Where a service listens on this host: an abstract Unix socket, which vanishes with its process."""

from __future__ import annotations

import secrets
import socket
from pathlib import Path

from harness.services.acceptor import Acceptor, Serve


class Door:
    """A name nobody else has (unix(7), abstract): no file, no port, nothing left after a SIGKILL.

    It keeps its name when it is closed and opened again, so that a guest finds a restarted service.
    """

    def __init__(self, label: str) -> None:
        self.socket = f"kola-{label}-{secrets.token_hex(8)}"
        self._acceptor: Acceptor | None = None

    @property
    def address(self) -> str:
        """What connect(2) takes."""
        return "\0" + self.socket

    @property
    def listening(self) -> bool:
        """Whether anybody listens, seen without disturbing them (/proc/net/unix)."""
        wanted = f" @{self.socket}"
        with Path("/proc/net/unix").open() as table:
            return any(line.rstrip().endswith(wanted) and " 00010000 " in line for line in table)

    def connect(self) -> socket.socket:
        """A connection as the guest's would be; OSError when nobody listens."""
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
        """Stop listening and end what is under way."""
        if self._acceptor is not None:
            self._acceptor.close()
            self._acceptor = None

"""Where a service listens on this host: an abstract Unix socket, which vanishes with its process."""

from __future__ import annotations

import contextlib
import secrets
import socket
import threading
from collections.abc import Callable
from pathlib import Path

Serve = Callable[[socket.socket], None]
_BACKLOG = 64


class Door:
    """A name nobody else has (unix(7), abstract): no file, no port, nothing left after a SIGKILL.

    It keeps its name when it is closed and opened again, so that a guest finds a restarted service.
    """

    def __init__(self, label: str) -> None:
        self.socket = f"kola-{label}-{secrets.token_hex(8)}"
        self._listener: socket.socket | None = None
        self._guard = threading.Lock()
        self._connections: set[socket.socket] = set()
        self._threads: list[threading.Thread] = []

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
        """Listen, and call `serve` with each connection in a thread of its own; it is closed afterwards."""
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listener.bind(self.address)
        self._listener.listen(_BACKLOG)
        self._start(self._accept, self._listener, serve)

    def close(self) -> None:
        """Stop listening and end what is under way."""
        if self._listener is None:
            return
        listener, self._listener = self._listener, None
        with contextlib.suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)  # wakes the thread in accept(2), close alone would not
        self._threads[0].join()
        listener.close()
        with self._guard:
            for connection in self._connections:
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)
        for thread in self._threads[1:]:
            thread.join()
        self._threads.clear()

    def _start(self, work: Callable[..., None], *arguments: object) -> None:
        thread = threading.Thread(target=work, args=arguments, name=self.socket, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self, listener: socket.socket, serve: Serve) -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            self._threads[1:] = [thread for thread in self._threads[1:] if thread.is_alive()]
            with self._guard:
                self._connections.add(connection)
            self._start(self._attend, connection, serve)

    def _attend(self, connection: socket.socket, serve: Serve) -> None:
        try:
            # TLS takes the socket it is given away from us; this one is kept to end the connection by.
            with connection.dup() as theirs, contextlib.suppress(OSError):
                serve(theirs)
        finally:
            with self._guard:
                self._connections.discard(connection)
                connection.close()

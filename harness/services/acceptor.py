"""A server loop with one thread for each connection, all of which can be ended at once."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable

Serve = Callable[[socket.socket], None]
_BACKLOG = 64


class Acceptor:
    """The owner of `listener`, which is bound.

    `serve` gets each connection, which is closed when it returns.
    """

    def __init__(self, listener: socket.socket, serve: Serve, *, name: str) -> None:
        self._listener = listener
        self._serve = serve
        self._name = name
        self._guard = threading.Lock()
        self._connections: set[socket.socket] = set()
        self._threads: list[threading.Thread] = []
        listener.listen(_BACKLOG)
        self._accepting = self._thread(self._accept)

    def close(self) -> None:
        """Close everything and wait until no thread is left."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)  # wakes the thread in accept(2), close alone would not
        self._accepting.join()
        self._listener.close()
        with self._guard:
            for connection in self._connections:
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()

    def _thread(self, work: Callable[..., None], *arguments: object) -> threading.Thread:
        thread = threading.Thread(target=work, args=arguments, name=self._name, daemon=True)
        thread.start()
        return thread

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with self._guard:
                self._connections.add(connection)
            self._threads = [thread for thread in self._threads if thread.is_alive()]
            self._threads.append(self._thread(self._attend, connection))

    def _attend(self, connection: socket.socket) -> None:
        try:
            # TLS takes ownership of its socket; this duplicate serves to end the connection.
            with connection.dup() as theirs, contextlib.suppress(OSError):
                self._serve(theirs)
        finally:
            with self._guard:
                self._connections.discard(connection)
                connection.close()

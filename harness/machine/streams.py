"""A thread per machine that copies its serial ports to files and other readers."""

from __future__ import annotations

import selectors
import socket
import threading
from collections import deque
from collections.abc import Callable
from pathlib import Path

CHUNK = 65536

Reader = Callable[[bytes], None]
"""A function called with each chunk, and with b"" at the end."""


class Tail:
    """The last `limit` bytes of a stream, with notification of new data."""

    def __init__(self, limit: int = 256 * 1024) -> None:
        self._limit = limit
        self._chunks: deque[bytes] = deque()
        self._size = 0
        self._total = 0
        self._grown = threading.Condition()  # its lock may be taken again by its holder

    def append(self, data: bytes) -> None:
        with self._grown:
            self._chunks.append(data)
            self._size += len(data)
            self._total += len(data)
            while self._size - len(self._chunks[0]) >= self._limit:
                self._size -= len(self._chunks.popleft())
            self._grown.notify_all()

    @property
    def total(self) -> int:
        """Number of bytes received so far; a position for `since`."""
        with self._grown:
            return self._total

    def since(self, position: int) -> bytes:
        """Return the bytes after `position`, as far as they are still held."""
        with self._grown:
            held = b"".join(self._chunks)
            wanted = self._total - position
            return held[-wanted:] if 0 < wanted < len(held) else (held if wanted > 0 else b"")

    def read_on(self, position: int) -> tuple[bytes, int]:
        """Return the bytes after `position`, as `since` does, and the position at which to continue."""
        with self._grown:
            return self.since(position), self._total

    def wait_growth(self, position: int, timeout: float) -> bool:
        """Return True once more than `position` bytes have arrived, False after `timeout` seconds."""
        with self._grown:
            return self._grown.wait_for(lambda: self._total > position, timeout)

    def text(self, lines: int = 20) -> str:
        """Return the last lines, with undecodable bytes replaced."""
        with self._grown:
            held = b"".join(self._chunks)
        return "\n".join(held.decode(errors="replace").replace("\r", "").splitlines()[-lines:])


class StreamPump:
    """Read every attached socket until its other end closes, without ever blocking the guest.

    Readers are called in the pump's thread with each chunk, and with b"" at the end. A reader that raises is
    not called again; `on_error` is called in that thread, and the other readers continue.
    """

    def __init__(self, name: str, on_error: Callable[[Exception], None]) -> None:
        self._on_error = on_error
        self._selector = selectors.DefaultSelector()
        self._wakeup, self._waker = socket.socketpair()
        self._selector.register(self._wakeup, selectors.EVENT_READ, None)
        self._open = 0
        self._stopping = False
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._serve, name=f"streams {name}", daemon=True)
        self._thread.start()

    def attach(self, source: socket.socket, *readers: Reader) -> None:
        """Take ownership of `source`: the pump reads it and closes it."""
        source.setblocking(False)
        with self._lock:
            self._open += 1
            self._selector.register(source, selectors.EVENT_READ, list(readers))
        self._waker.send(b".")

    def close(self, *, drain: float = 2.0) -> None:
        """Read the remaining data of streams whose writer is gone, then end the thread."""
        self._stopping = True
        self._waker.send(b".")
        self._thread.join(drain)
        with self._lock:
            for key in list(self._selector.get_map().values()):
                if isinstance(key.fileobj, socket.socket):
                    key.fileobj.close()
            self._selector.close()
        self._waker.close()

    def _serve(self) -> None:
        while True:
            for key, _ in self._selector.select():
                if key.fileobj is self._wakeup:
                    self._wakeup.recv(64)
                elif isinstance(key.fileobj, socket.socket):
                    self._read(key.fileobj, key.data)
            if self._stopping and self._open == 0:
                return

    def _read(self, source: socket.socket, readers: list[Reader]) -> None:
        try:
            data = source.recv(CHUNK)
        except BlockingIOError:
            return
        except ConnectionResetError:
            data = b""
        for reader in tuple(readers):
            try:
                reader(data)
            except Exception as error:
                readers.remove(reader)
                self._on_error(error)
        if not data:
            with self._lock:
                self._selector.unregister(source)
                self._open -= 1
            source.close()


class FileSink:
    """A reader that appends each chunk to a file, unbuffered, so that a crash loses nothing."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("ab", buffering=0)

    def __call__(self, data: bytes) -> None:
        if data:
            self._file.write(data)
        else:
            self._file.close()


class LineSplitter:
    """A reader that passes whole lines, without their ends, to `on_line`."""

    def __init__(self, on_line: Callable[[bytes], None], *, limit: int = 1 << 20) -> None:
        self._on_line = on_line
        self._limit = limit
        self._rest = bytearray()

    def __call__(self, data: bytes) -> None:
        if not data:
            if self._rest:
                self._on_line(bytes(self._rest))
                self._rest.clear()
            return
        self._rest += data
        *lines, rest = self._rest.split(b"\n")
        self._rest = bytearray(rest[-self._limit :])
        for line in lines:
            self._on_line(bytes(line.rstrip(b"\r")))

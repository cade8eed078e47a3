"""The content of a file server: files of a directory, or entries that a test added."""

from __future__ import annotations

import hashlib
import io
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO
from urllib.parse import unquote, urlsplit

_RANGE = re.compile(r"bytes=(\d*)-(\d*)")


@dataclass(frozen=True)
class Reply:
    """A fixed reply: an error, a redirection, unusual headers."""

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)


Entry = str | bytes | Path | Reply
Content = Path | Mapping[str, Entry]


@dataclass(frozen=True)
class Body:
    """An open file or memory of `size` bytes; `tag` changes with the content."""

    stream: IO[bytes]
    size: int
    tag: str

    def pieces(self, part: range, size: int) -> Iterator[bytes]:
        """Yield the bytes of `part`, at most `size` at once."""
        self.stream.seek(part.start)
        left = len(part)
        while left and (piece := self.stream.read(min(size, left))):
            left -= len(piece)
            yield piece


class Library:
    """The lookup of served paths. Files are read anew at every request."""

    def __init__(self, content: Content) -> None:
        self._root = content.resolve() if isinstance(content, Path) else None
        self._entries: dict[str, Entry] = {}
        if not isinstance(content, Path):
            for path, entry in content.items():
                self.put(path, entry)

    def put(self, path: str, entry: Entry) -> None:
        """Serve `entry` at `path` from now on, before any file of that name."""
        self._entries[path.strip("/")] = entry

    def find(self, target: str) -> Body | Reply | None:
        """Look up the target of a request; None when there is no such entry. The caller closes the body."""
        path = unquote(urlsplit(target).path).strip("/")
        entry = self._entries.get(path)
        if entry is None:
            file = self._file(path)
            return _open(file) if file is not None else None
        match entry:
            case Reply():
                return entry
            case Path():
                return _open(entry)
            case str():
                return _memory(entry.encode())
            case bytes():
                return _memory(entry)

    def _file(self, path: str) -> Path | None:
        if self._root is None or not path:
            return None
        file = (self._root / path).resolve()
        return file if file.is_relative_to(self._root) else None


def _open(file: Path) -> Body | None:
    try:
        stream = file.open("rb")
    except OSError:
        return None
    size = stream.seek(0, io.SEEK_END)
    stream.seek(0)
    return Body(stream, size, f'"{file.stat().st_mtime_ns:x}-{size:x}"')


def _memory(data: bytes) -> Body:
    return Body(io.BytesIO(data), len(data), f'"{hashlib.sha256(data).hexdigest()[:32]}"')


def byte_range(header: str, size: int) -> range | None:
    """Return the bytes that a Range header requests (RFC 9110, 14), or None when it is to be ignored.

    Raises ValueError when the range lies outside. Several ranges at once are ignored, as the RFC allows.
    """
    found = _RANGE.fullmatch(header.strip())
    if found is None or found[0] == "bytes=-":
        return None
    first, last = found.groups()
    if not first:
        start, stop = max(0, size - int(last)), size
    else:
        start, stop = int(first), min(size, int(last) + 1 if last else size)
        if last and int(last) < int(first):
            return None
    if start >= stop:
        raise ValueError(f"{header} of {size} bytes")
    return range(start, stop)

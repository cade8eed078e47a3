"""Records that processes of this user share. A record vanishes when its process ends."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Generic, TypeVar

from harness.errors import ConfigError
from harness.util.deadline import Deadline
from harness.util.jsonfile import JsonFile
from harness.util.locks import exclusive

T = TypeVar("T")

_LOCK_SECONDS = 30.0
_LOOK_AGAIN = 0.002


@dataclass(frozen=True)
class Record(Generic[T]):
    """The content that process `owner` published."""

    owner: int
    content: T


class ProcessRecords(Generic[T]):
    """A directory of records, one file per process, locked (flock(2)) as long as the process lives.

    A file that can be locked belongs to a process that has ended, even by SIGKILL, and is ignored.
    """

    def __init__(self, directory: Path, format: JsonFile[T], *, owner: int) -> None:
        self._format = format
        self._directory = directory
        self._file: IO[bytes] | None = None
        self._path = directory / f"{owner}-{os.urandom(4).hex()}.json"

    @contextmanager
    def locked(self) -> Iterator[list[Record[T]]]:
        """Hold the lock over all records and yield the records of other processes. Keep it short.

        Raises DeadlineExceeded when another process holds the lock for half a minute.
        """
        lock = self._directory / "turn.lock"
        with exclusive(lock, deadline=Deadline(_LOCK_SECONDS), interval=_LOOK_AGAIN):
            yield [record for path in self._others() if (record := self._read(path, tidy=True)) is not None]

    def peek(self) -> list[Record[T]]:
        """Read the records of other processes without the lock, except those being written."""
        return [record for path in self._others() if (record := self._read(path, tidy=False)) is not None]

    def write(self, content: T) -> None:
        """Replace the record of this process. Call it only inside `locked()`."""
        if self._file is None:
            self._file = self._path.open("w+b", buffering=0)
            fcntl.flock(self._file, fcntl.LOCK_EX)
        data = self._format.dump(content).encode()
        os.pwrite(self._file.fileno(), data, 0)
        os.ftruncate(self._file.fileno(), len(data))

    def close(self) -> None:
        """Remove the record of this process."""
        if self._file is not None:
            self._path.unlink(missing_ok=True)
            self._file.close()
            self._file = None

    def _others(self) -> Iterator[Path]:
        with contextlib.suppress(FileNotFoundError):  # no directory, no records
            for entry in os.scandir(self._directory):
                if entry.name.endswith(".json") and entry.name != self._path.name:
                    yield Path(entry.path)

    def _read(self, path: Path, *, tidy: bool) -> Record[T] | None:
        """Read one record; None when its writer has ended.

        `tidy` then removes the file. It needs the lock of `locked()`, because a writer creates its file
        before it locks it.
        """
        with contextlib.suppress(FileNotFoundError, ValueError, ConfigError), path.open("rb") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return Record(int(path.name.partition("-")[0]), self._format.load(file.read().decode()))
            if tidy:
                path.unlink(missing_ok=True)
        return None

"""What living processes of this user have put down about themselves; gone when they die."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from harness.util.deadline import Deadline
from harness.util.locks import exclusive

_TURN_SECONDS = 30.0
_LOOK_AGAIN = 0.002


@dataclass(frozen=True)
class Note:
    """What was written in the name of the process `owner`."""

    owner: int
    content: Any


class Roster:
    """One file for each process, held locked (flock(2)) as long as it lives.

    A file that can be locked belongs to a process that has died, by SIGKILL even, and counts for nothing.
    """

    def __init__(self, directory: Path, *, owner: int) -> None:
        self._directory = directory
        self._file: IO[bytes] | None = None
        self._path = directory / f"{owner}-{os.urandom(4).hex()}.json"

    @contextmanager
    def turn(self) -> Iterator[list[Note]]:
        """Nobody else's notes change meanwhile; they are what is handed out. Keep it short.

        Raises DeadlineExceeded when another process holds its turn for half a minute.
        """
        lock = self._directory / "turn.lock"
        with exclusive(lock, deadline=Deadline(_TURN_SECONDS), interval=_LOOK_AGAIN):
            yield [note for path in self._others() if (note := _read(path, tidy=True)) is not None]

    def glance(self) -> list[Note]:
        """The others' notes without a turn; one that is just being written is left out."""
        return [note for path in self._others() if (note := _read(path, tidy=False)) is not None]

    def write(self, content: Any) -> None:
        """Replace this process' own note; only within a turn."""
        if self._file is None:
            self._file = self._path.open("w+b", buffering=0)
            fcntl.flock(self._file, fcntl.LOCK_EX)
        data = json.dumps(content).encode()
        os.pwrite(self._file.fileno(), data, 0)
        os.ftruncate(self._file.fileno(), len(data))

    def close(self) -> None:
        """Take the note back."""
        if self._file is not None:
            self._path.unlink(missing_ok=True)
            self._file.close()
            self._file = None

    def _others(self) -> Iterator[Path]:
        with contextlib.suppress(FileNotFoundError):  # no directory, no notes
            for entry in os.scandir(self._directory):
                if entry.name.endswith(".json") and entry.name != self._path.name:
                    yield Path(entry.path)


def _read(path: Path, *, tidy: bool) -> Note | None:
    """None when its writer is dead; `tidy` removes the file then, which takes a turn: who begins one
    creates it before it is locked.
    """
    with contextlib.suppress(FileNotFoundError, ValueError), path.open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return Note(int(path.name.partition("-")[0]), json.loads(file.read()))
        if tidy:
            path.unlink(missing_ok=True)
    return None

"""The event stream of a run: an append-only file of JSON lines that every process writes to."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import Any

from pydantic import TypeAdapter

from harness.errors import ConfigError, InfrastructureError


class EventKind(StrEnum):
    """The kinds of events. docs/reports.md describes the data of each."""

    RUN_START = "run-start"
    RUN_END = "run-end"
    TEST_START = "test-start"
    TEST_END = "test-end"
    MACHINE_START = "machine-start"
    MACHINE_READY = "machine-ready"
    MACHINE_STOP = "machine-stop"
    REACHABLE = "reachable"
    COMMAND = "command"
    REBOOT = "reboot"
    STAGE = "stage"
    NOTICE = "notice"


@dataclass(frozen=True, kw_only=True)
class Event:
    """An event. `time` is seconds since the epoch; `test` and `machine` may be empty."""

    time: float
    kind: EventKind
    test: str = ""
    machine: str = ""
    data: Mapping[str, Any] = field(default_factory=dict)

    def to_line(self) -> bytes:
        """Return one line of JSON with its line end. Values of other types are written as text."""
        content = {
            "time": round(self.time, 6),
            "kind": str(self.kind),
            "test": self.test,
            "machine": self.machine,
            "data": dict(self.data),
        }
        return (
            json.dumps(content, ensure_ascii=False, default=str).encode("utf-8", "backslashreplace") + b"\n"
        )

    @classmethod
    def from_line(cls, line: bytes) -> Event:
        """Return the inverse of `to_line`. Raises ValueError for anything else."""
        return _adapter().validate_python(json.loads(line))


@cache
def _adapter() -> TypeAdapter[Event]:
    return TypeAdapter(Event)


class EventLog(AbstractContextManager["EventLog"]):
    """A writer that appends events to one file.

    Any number of processes and threads may use the file at once.

    Each event is one write(2) to a file opened with O_APPEND, which Linux never interleaves.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._fd: int | None = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise InfrastructureError(
                f"cannot open the event log {path}: {error.strerror}", cause="report-unwritable"
            ) from error

    def emit(self, kind: str, *, test: str = "", machine: str = "", **data: Any) -> Event:
        """Record that `kind` happened now, and return it."""
        event = Event(time=time.time(), kind=EventKind(kind), test=test, machine=machine, data=data)
        self.append(event)
        return event

    def append(self, event: Event) -> None:
        """Write one event. Raises InfrastructureError when the disk is full or the log is closed."""
        if self._fd is None:
            raise InfrastructureError(f"the event log {self.path} is closed", cause="report-unwritable")
        line = event.to_line()
        try:
            written = os.write(self._fd, line)
        except OSError as error:
            raise InfrastructureError(
                f"cannot write the event log {self.path}: {error.strerror}", cause="report-unwritable"
            ) from error
        if written != len(line):
            raise InfrastructureError(f"no room left for the event log {self.path}", cause="no-disk-space")

    def close(self) -> None:
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def read_events(path: Path) -> Iterator[Event]:
    """Yield the events of a log in the order written. Raises ConfigError with the line of a malformed one.

    A last line without its end is omitted: its writer was killed, or is still writing.
    """
    try:
        with path.open("rb") as lines:
            for number, line in enumerate(lines, start=1):
                if not line.endswith(b"\n"):
                    return
                try:
                    yield Event.from_line(line)
                except ValueError as error:
                    raise ConfigError(f"not an event: {error}", file=path, line=number) from error
    except OSError as error:
        raise ConfigError(f"cannot be read: {error.strerror}", file=path) from error

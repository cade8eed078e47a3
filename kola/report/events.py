"""The one event stream of a run: an append-only file of JSON lines that every process writes to."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from types import TracebackType
from typing import Any

from harness.errors import ConfigError, InfrastructureError


class EventKind(StrEnum):
    """The events every report knows; a producer may add kinds of its own."""

    RUN_START = "run-start"
    RUN_END = "run-end"
    TEST_START = "test-start"
    TEST_END = "test-end"
    MACHINE_START = "machine-start"
    MACHINE_READY = "machine-ready"
    MACHINE_STOP = "machine-stop"
    BOOT_PHASE = "boot-phase"
    SSH_COMMAND = "ssh-command"
    REBOOT = "reboot"
    CHECK = "check"
    NOTICE = "notice"


@dataclass(frozen=True, kw_only=True)
class Event:
    """Something that happened. `time` is seconds since the epoch; `test` and `machine` may be empty."""

    time: float
    kind: str
    test: str = ""
    machine: str = ""
    data: Mapping[str, Any] = field(default_factory=dict)

    def to_line(self) -> bytes:
        """One line of JSON with its line end; values JSON does not know are written as text."""
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
        """The inverse of `to_line`; KeyError, TypeError or ValueError for anything else."""
        content = json.loads(line)
        return cls(
            time=float(content["time"]),
            kind=content["kind"],
            test=content["test"],
            machine=content["machine"],
            data=content["data"],
        )


class EventLog(AbstractContextManager["EventLog"]):
    """Appends events to one file; any number of processes and threads may do so at once.

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
        event = Event(time=time.time(), kind=str(kind), test=test, machine=machine, data=data)
        self.append(event)
        return event

    def append(self, event: Event) -> None:
        """Write one event; InfrastructureError when the disk is full or the log is closed."""
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
    """The events of a log in the order written; ConfigError naming the line that is none.

    A last line without its end is one whose writer was killed, or is at it: it is left out.
    """
    try:
        with path.open("rb") as lines:
            for number, line in enumerate(lines, start=1):
                if not line.endswith(b"\n"):
                    return
                try:
                    yield Event.from_line(line)
                except (KeyError, TypeError, ValueError) as error:
                    raise ConfigError(f"not an event: {error}", file=path, line=number) from error
    except OSError as error:
        raise ConfigError(f"cannot be read: {error.strerror}", file=path) from error

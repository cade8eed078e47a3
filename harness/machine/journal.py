"""The guest's journal as it arrives: written to a text file, kept searchable in memory, a source of
incidents.
"""

from __future__ import annotations

import contextlib
import json
import re
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from harness.errors import DeadlineExceeded
from harness.machine.incidents import Incidents
from harness.util.deadline import Deadline


@dataclass(frozen=True)
class JournalEntry:
    """A journal message (systemd.journal-fields(7))."""

    time: datetime | None
    identifier: str
    pid: str
    message: str
    unit: str
    priority: int
    boot_id: str

    @classmethod
    def parse(cls, line: bytes) -> JournalEntry | None:
        """Parse a line of `journalctl -o json`. Returns None when the line is torn or not an object."""
        try:
            fields = json.loads(line)
        except ValueError:
            return None
        if not isinstance(fields, dict) or "MESSAGE" not in fields:
            return None
        return cls(
            time=_time(fields.get("__REALTIME_TIMESTAMP")),
            identifier=_text(fields.get("SYSLOG_IDENTIFIER") or fields.get("_COMM") or ""),
            pid=_text(fields.get("_PID") or fields.get("SYSLOG_PID") or ""),
            message=_text(fields["MESSAGE"]),
            unit=_text(fields.get("UNIT") or fields.get("_SYSTEMD_UNIT") or ""),
            priority=_priority(_text(fields.get("PRIORITY"))),
            boot_id=_text(fields.get("_BOOT_ID") or ""),
        )

    def line(self) -> str:
        """Return the entry as `journalctl -o short-precise` would show it, in UTC."""
        stamp = self.time.strftime("%b %d %H:%M:%S.%f") if self.time else "-"
        pid = f"[{self.pid}]" if self.pid else ""
        return f"{stamp} {self.identifier}{pid}: {self.message}"


def _time(microseconds: Any) -> datetime | None:
    try:
        return datetime.fromtimestamp(int(microseconds) / 1e6, UTC)
    except (TypeError, ValueError, OverflowError):
        return None


def _priority(text: str) -> int:
    """Parse a syslog(3) level. Any other text, which a logger may write, counts as info."""
    return int(text) if text in ("0", "1", "2", "3", "4", "5", "6", "7") else 6


def _text(value: Any) -> str:
    """Decode a journal field: a string, a list of bytes if not UTF-8, or a list of repeated values."""
    if isinstance(value, list):
        if all(isinstance(item, int) and 0 <= item < 256 for item in value):
            return bytes(value).decode(errors="replace")
        return _text(value[0]) if value else ""
    return "" if value is None else str(value)


class Journal:
    """All entries the guest has logged so far. The stream's thread adds entries; any thread reads them."""

    def __init__(self, path: Path | None, on_text: Callable[[str], None] | None = None) -> None:
        self._file = path.open("a", buffering=1, encoding="utf-8", errors="replace") if path else None
        self._entries: list[JournalEntry] = []
        self._grown = threading.Condition()
        self._on_text = on_text
        self._deadline: Callable[[float], Deadline] = Deadline
        self._incidents: Incidents | None = None

    def wait_with(self, deadline: Callable[[float], Deadline], incidents: Incidents) -> None:
        """Make `wait_for` take its deadlines from `deadline` and end early on a fatal incident."""
        self._deadline = deadline
        self._incidents = incidents

    def add_line(self, line: bytes) -> None:
        entry = JournalEntry.parse(line)
        if entry is None:
            return
        text = entry.line()
        if self._file is not None and not self._file.closed:
            self._file.write(text + "\n")
        if self._on_text is not None:
            self._on_text(text + "\n")
        with self._grown:
            self._entries.append(entry)
            self._grown.notify_all()

    def preload_line(self, line: bytes) -> None:
        """Add an entry that a clone's template had logged. It was judged already."""
        entry = JournalEntry.parse(line)
        if entry is None:
            return
        if self._file is not None:
            self._file.write(entry.line() + "\n")
        with self._grown:
            self._entries.append(entry)

    def close(self) -> None:
        if self._file is not None:
            # The write error of a full disk was reported when it happened.
            with contextlib.suppress(OSError):
                self._file.close()

    @property
    def position(self) -> int:
        """Number of entries so far; usable as `entries(since=…)`."""
        with self._grown:
            return len(self._entries)

    def entries(
        self, *, since: int = 0, identifier: str | None = None, unit: str | None = None
    ) -> list[JournalEntry]:
        with self._grown:
            found = self._entries[since:]
        return [
            entry
            for entry in found
            if (identifier is None or entry.identifier == identifier) and (unit is None or entry.unit == unit)
        ]

    def grep(self, pattern: str, *, since: int = 0) -> list[JournalEntry]:
        """Return the entries whose message matches the regular expression."""
        expression = re.compile(pattern)
        return [entry for entry in self.entries(since=since) if expression.search(entry.message)]

    def wait_for(
        self,
        pattern: str,
        *,
        timeout: float = 60,
        since: int = 0,
    ) -> JournalEntry:
        """Wait for an entry that matches `pattern` and return it.

        `timeout` is seconds on the machine's scale.

        Raises DeadlineExceeded, or the incident that ended the machine.
        """
        deadline = self._deadline(timeout)
        expression = re.compile(pattern)
        position = since
        while True:
            with self._grown:
                fresh = self._entries[position:]
                position += len(fresh)
            for entry in fresh:
                if expression.search(entry.message):
                    return entry
            if self._incidents is not None:
                self._incidents.check()
            if deadline.expired:
                last = self._entries[-1].message if self._entries else "an empty journal"
                raise DeadlineExceeded(
                    f"waiting for the journal to say {pattern!r}", seconds=deadline.elapsed, last_seen=last
                )
            with self._grown:
                if len(self._entries) == position:
                    self._grown.wait(min(0.5, deadline.remaining))

"""The initramfs channel: a failed initramfs sends its journal as JSON lines, ended by `{}`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from harness.machine.incidents import Incident
from harness.machine.journal import JournalEntry
from harness.machine.streams import LineSplitter


class InitramfsChannel:
    """A reader of the virtio port.

    It reports one fatal incident: the error of Ignition, or else of the failed unit.
    """

    def __init__(self, path: Path, report: Callable[[Incident], None]) -> None:
        self._path = path
        self._report = report
        self._ignition = ""
        self._unit = ""
        self._seen = False
        self._done = False
        self._lines = LineSplitter(self._line)

    def __call__(self, data: bytes) -> None:
        if data:
            with self._path.open("ab") as dump:
                dump.write(data)
        self._lines(data)
        if not data and self._seen:
            self._finish()

    def _line(self, line: bytes) -> None:
        if line.strip() == b"{}":
            self._finish()
            return
        entry = JournalEntry.parse(line)
        if entry is None:
            return
        self._seen = True
        # Without syslog, Ignition writes its levels as words.
        critical = entry.priority <= 3 or entry.message.startswith("CRITICAL")
        if entry.identifier == "ignition" and critical:
            self._ignition = entry.message
        elif entry.identifier == "systemd" and entry.message.startswith("Failed to start "):
            self._unit = self._unit or entry.message

    def _finish(self) -> None:
        if self._done:
            return
        self._done = True
        # Ignition's last message may be missing: nothing makes journald write it before the journal is read.
        reason = self._ignition or self._unit
        why = f": {reason}" if reason else ""
        self._report(
            Incident(
                cause="initramfs-failure",
                message=f"entered emergency.target in initramfs{why}",
                source="initramfs journal",
                fatal=True,
            )
        )

"""Feeds a machine's streams to a stage tracker."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from types import TracebackType

from harness.errors import InfrastructureError
from harness.installer.signs import Stage
from harness.installer.stages import StageTracker
from harness.machine.machine import Machine

STAGES_FILE = "stages.txt"
"""Name of the file in the machine's directory that lists the stages and their seconds."""

_PAUSE = 0.2


class Follower:
    """A thread that reads console, journal and the signal `ports` of a machine from the first byte on."""

    def __init__(self, machine: Machine, tracker: StageTracker, ports: Sequence[str]) -> None:
        self.machine = machine
        self.tracker = tracker
        self._ports = tuple(ports)
        self._shown = 0
        self._entries = 0
        self._signals = dict.fromkeys(self._ports, 0)
        self._reading = threading.Lock()
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._follow, name="stages", daemon=True)
        self._thread.start()

    def wait(self, stage: Stage) -> None:
        """Wait until `stage` has begun. Raises StageFailure, StageTimeout, InfrastructureError."""
        self.tracker.wait(stage, interrupted=self._interrupted)

    def _interrupted(self) -> Exception | None:
        fatal = self.machine.instance.incidents.fatal
        if fatal is None or fatal.cause in self.tracker.expected:
            return None
        self._read()
        error = fatal.error()
        if isinstance(error, InfrastructureError):
            return error
        return self.tracker.failure(f"{fatal.message} ({fatal.source})", cause=fatal.cause)

    def close(self) -> None:
        """End the thread; write STAGES_FILE."""
        self._ending.set()
        self._thread.join()
        lines = [f"{timing.stage!s:20} {timing.seconds:7.1f} s" for timing in self.tracker.timings]
        (self.machine.directory / STAGES_FILE).write_text("\n".join(lines) + "\n", encoding="utf-8")

    def __enter__(self) -> Follower:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _follow(self) -> None:
        while not self._ending.is_set():
            self._read()
            self.machine.instance.console.wait_growth(self._shown, _PAUSE)
        self._read()

    def _read(self) -> None:
        """Pass on all new output."""
        with self._reading:
            tail = self.machine.instance.console
            total = tail.total
            fresh = tail.since(self._shown)
            self._shown = total
            if fresh:
                self.tracker.console(fresh)
            entries = self.machine.journal.entries(since=self._entries)
            self._entries += len(entries)
            for entry in entries:
                self.tracker.journal(entry.line())
            for port in self._ports:
                lines = self.machine.instance.lines(port).since(self._signals[port])
                self._signals[port] += len(lines)
                for line in lines:
                    self.tracker.signal(line)

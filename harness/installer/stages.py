"""Progress of an installation: its stages, their durations, and the detection of stalls and failures."""

from __future__ import annotations

import re
import threading
import time
from collections import deque
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

from harness.errors import DeadlineExceeded, MachineFailure
from harness.installer.signs import BOOT, MEDIUM_AGAIN, ORDER, SIGNS, TOO_EARLY, TROUBLES, Stage, Trouble
from harness.util import ansi

LIMITS: Mapping[Stage, float] = {
    Stage.FIRMWARE: 30,
    Stage.BOOT_MENU: 60,
    Stage.KERNEL: 45,
    Stage.INITRAMFS: 120,
    Stage.LIVE_UP: 120,
    Stage.INSTALL_STARTED: 60,
    Stage.IMAGE_WRITTEN: 600,
    Stage.REBOOT: 60,
    Stage.INSTALLED_UP: 180,
    Stage.CHECKS: 300,
}
"""Maximum seconds of each stage on a scale of 1."""

_KEPT_LINES = 40
_SHOWN_LINES = 12
_LONGEST_LINE = 4096


@dataclass(frozen=True)
class Timing:
    """A stage and its duration: the `seconds` so far, or in all when `done`."""

    stage: Stage
    seconds: float
    done: bool


class StageFailure(MachineFailure):
    """Raised when the guest failed during `stage`. The message gives the cause."""

    def __init__(self, stage: Stage, cause: str, message: str, *, evidence: str) -> None:
        self.stage = stage
        super().__init__(cause, f"stage {stage!s}: {message}", evidence=evidence)


class StageTimeout(DeadlineExceeded):
    """Raised when a stage took longer than its limit."""

    def __init__(self, stage: Stage, *, seconds: float, message: str, evidence: str) -> None:
        self.stage = stage
        self.evidence = evidence
        super().__init__(message, seconds=seconds)

    def __str__(self) -> str:
        tail = f"\n{self.evidence.rstrip()}" if self.evidence else ""
        return f"stage {self.stage!s}: no end after {self.seconds:.0f} s{self.step}{tail}"


class StageTracker:
    """The tracker of one installation. Stream threads feed it; the test calls `wait`.

    `plan` is the sequence of stages; `expected` holds the causes that the test brings about on purpose.
    `publish` is called with `stage` and its data at the end of each stage.
    """

    def __init__(
        self,
        plan: Sequence[Stage] = ORDER,
        *,
        scale: float = 1.0,
        limits: Mapping[Stage, float] = LIMITS,
        expected: Collection[str] = (),
        clock: Callable[[], float] = time.monotonic,
        publish: Callable[[str, dict[str, object]], None] = lambda kind, data: None,
    ) -> None:
        self._plan = tuple(plan)
        installs = Stage.INSTALLED_UP in self._plan
        self._limits = {stage: limits.get(stage, LIMITS[stage]) * scale for stage in self._plan}
        self.expected = frozenset(expected)
        self._clock = clock
        self._publish = publish
        self._unfinished = frozenset(self._plan[: self._plan.index(Stage.INSTALLED_UP)] if installs else ())
        self._changed = threading.Condition()
        self._at = 0
        self._began = clock()
        self._took: list[Timing] = []
        self._lines: deque[str] = deque(maxlen=_KEPT_LINES)
        self._installer: deque[str] = deque(maxlen=_KEPT_LINES)
        self._rest: dict[str, str] = {}
        self._cause: tuple[Trouble, str] | None = None
        self._fatal: tuple[Trouble, str] | None = None
        self._second_boot = Stage.FIRMWARE

    # Called by stream threads

    def console(self, data: bytes) -> None:
        """Take raw output of the serial console, in pieces of any size."""
        text = self._rest.pop("console", "") + data.decode(errors="replace")
        *lines, rest = text.split("\n")
        self._rest["console"] = rest[-_LONGEST_LINE:]
        for line in lines:
            self._line(ansi.strip(line))
        partial = ansi.strip(self._rest["console"])
        if partial:
            self._look(partial)  # a prompt has no end of line

    def journal(self, text: str) -> None:
        """Take lines of the journal in the format of `journalctl -o short`."""
        for line in text.splitlines():
            if re.search(r"(?:nestos|coreos)-installer", line):
                with self._changed:
                    self._installer.append(line)
            self._look(line)

    def signal(self, line: str) -> None:
        """Take a line from a port through which the guest reports its progress."""
        self._line(line.strip())

    def reset(self) -> None:
        """Record that the machine was reset or rebooted, as the hypervisor reports."""
        with self._changed:
            if Stage.INSTALLED_UP in self._plan and self.stage is Stage.REBOOT:
                self._enter(Stage.INSTALLED_UP)
            self._second_boot = Stage.FIRMWARE

    def reach(self, stage: Stage) -> None:
        """Record that `stage` has begun, as the test itself knows."""
        with self._changed:
            self._enter(stage)

    def _line(self, line: str) -> None:
        if line.strip():
            with self._changed:
                self._lines.append(line[:_LONGEST_LINE])
        self._look(line)

    def _look(self, line: str) -> None:
        with self._changed:
            for sign in SIGNS:
                if sign.regex.search(line):
                    self._seen(sign.stage)
            again = (MEDIUM_AGAIN,) if self.stage is Stage.INSTALLED_UP else ()
            for trouble in (*again, *TROUBLES):
                found = trouble.regex.search(line)
                if found is None or trouble.cause in self.expected:
                    continue
                if trouble.final:
                    self._fatal = self._fatal or (trouble, line.strip())
                    self._changed.notify_all()
                else:
                    self._cause = self._cause or (trouble, line.strip())

    def _seen(self, stage: Stage) -> None:
        if stage in BOOT and self.stage is Stage.INSTALLED_UP:
            self._second_boot = max(self._second_boot, stage, key=ORDER.index)
            return
        if stage is Stage.INSTALL_STARTED and self.stage is Stage.INSTALLED_UP:
            self._second_boot = Stage.LIVE_UP
            return
        if stage is Stage.CHECKS and self.stage in self._unfinished:
            self._fatal = self._fatal or (TOO_EARLY, "the installed system's signal came before its reboot")
            self._changed.notify_all()
            return
        self._enter(stage)

    def _enter(self, stage: Stage) -> None:
        """Advance to `stage`, or to the next one of the plan after it; never back."""
        later = [number for number, planned in enumerate(self._plan) if not _before(planned, stage)]
        if not later or later[0] <= self._at:
            return
        now = self._clock()
        ended = Timing(self.stage, now - self._began, True)
        self._took.append(ended)
        self._took += [Timing(passed, 0.0, True) for passed in self._plan[self._at + 1 : later[0]]]
        self._at, self._began = later[0], now
        if self._cause is not None and not self._cause[0].lasting:
            self._cause = None
        self._publish("stage", {"stage": str(ended.stage), "seconds": round(ended.seconds, 1)})
        self._changed.notify_all()

    # Called by tests

    @property
    def stage(self) -> Stage:
        """The current stage."""
        return self._plan[self._at]

    @property
    def timings(self) -> list[Timing]:
        """All stages begun so far; the last one is current."""
        with self._changed:
            return [*self._took, Timing(self.stage, self._clock() - self._began, False)]

    def describe(self) -> str:
        """Return one line with the stages and their seconds."""
        parts = [
            f"{timing.stage!s} {timing.seconds:.0f} s{'' if timing.done else ' so far'}"
            for timing in self.timings
        ]
        return ", ".join(parts)

    def wait(self, stage: Stage, *, interrupted: Callable[[], Exception | None] = lambda: None) -> None:
        """Wait until `stage` has begun.

        Raises StageFailure, StageTimeout, or the error that `interrupted` returns.
        """
        wanted = self._plan.index(stage)
        while True:
            error = interrupted()  # without the lock: it may read streams, whose threads want it
            with self._changed:
                if self._at >= wanted:
                    return
                if self._fatal is not None:
                    raise self.failure()
                if error is not None:
                    raise error
                spent = self._clock() - self._began
                limit = self._limits[self.stage]
                if spent >= limit:
                    raise self._timeout(spent)
                self._changed.wait(min(0.5, max(0.01, limit - spent)))

    def failure(self, why: str = "", *, cause: str = "stage-failed") -> StageFailure:
        """Return the error for a scenario that ended in this stage.

        `why` and `cause` apply when no sign gives a cause.
        """
        trouble, line = self._cause or self._fatal or (None, why)
        cause = trouble.cause if trouble is not None else cause
        end = f" (then: {self._fatal[1]})" if self._fatal and self._cause else ""
        return StageFailure(self.stage, cause, f"{line}{end}{self._how_far()}", evidence=self._evidence())

    def _timeout(self, spent: float) -> StageTimeout:
        said = f"; last trouble: {self._cause[1]}" if self._cause else ""
        return StageTimeout(
            self.stage, seconds=spent, message=said + self._how_far(), evidence=self._evidence()
        )

    def _how_far(self) -> str:
        if self.stage is not Stage.INSTALLED_UP:
            return ""
        return f"; its boot had come as far as: {self._second_boot!s}"

    def _evidence(self) -> str:
        parts = [f"stages: {self.describe()}"]
        if self._lines:
            parts += ["console:", *(f"  {line}" for line in list(self._lines)[-_SHOWN_LINES:])]
        if self._installer:
            parts += ["installer:", *(f"  {line}" for line in list(self._installer)[-_SHOWN_LINES:])]
        return "\n".join(parts)


def _before(one: Stage, other: Stage) -> bool:
    return ORDER.index(one) < ORDER.index(other)

"""A deadline: the point in time at which all waiting ends."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TypeVar

from harness.errors import DeadlineExceeded

T = TypeVar("T")


class Deadline:
    """A deadline, made once and passed down. Every wait takes the time that is left.

    Times are seconds on the monotonic clock.
    """

    def __init__(self, seconds: float) -> None:
        self._start = time.monotonic()
        self._end = self._start + seconds

    @property
    def remaining(self) -> float:
        """Seconds left, never below zero."""
        return max(0.0, self._end - time.monotonic())

    @property
    def elapsed(self) -> float:
        return time.monotonic() - self._start

    @property
    def expired(self) -> bool:
        return time.monotonic() >= self._end

    def sub(self, seconds: float) -> Deadline:
        """Return a shorter deadline for one step; it never outlasts this one."""
        return Deadline(min(seconds, self.remaining))

    def check(self, step: str, last_seen: str = "") -> None:
        """Raise DeadlineExceeded for `step` when time has run out."""
        if self.expired:
            raise DeadlineExceeded(step, seconds=self.elapsed, last_seen=last_seen)

    def poll(
        self,
        probe: Callable[[], T | None],
        *,
        step: str,
        interval: float = 0.2,
        last_seen: Callable[[], str] = str,
        wake: threading.Event | None = None,
    ) -> T:
        """Call `probe` until it returns something other than None or False, and return that.

        `wake`, when given, cuts the pause between two probes short and is cleared. The probe is called once
        more at the very end, so that a long last pause loses nothing.
        """
        pause = wake or threading.Event()
        while True:
            found = probe()
            if found is not None and found is not False:
                return found
            self.check(step, last_seen())
            if pause.wait(min(interval, self.remaining)):
                pause.clear()

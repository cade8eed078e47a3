"""Times of a process that its kernel counts: CPU time used, and time spent waiting for a CPU."""

from __future__ import annotations

import os
from pathlib import Path


class ProcessTimes:
    """The times of one process. After its end they keep the last value, or 0 where none was read."""

    def __init__(self, pid: int) -> None:
        self._home = Path(f"/proc/{pid}")
        self._used = 0.0
        self._waited = 0.0

    @property
    def used(self) -> float:
        """CPU seconds of all threads, in user and kernel mode (proc(5), `stat`, fields 14 and 15)."""
        try:
            after_name = (self._home / "stat").read_text(encoding="utf-8").rpartition(")")[2]
        except OSError:
            return self._used
        user, system = after_name.split()[11:13]
        self._used = (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")
        return self._used

    @property
    def waited(self) -> float:
        """Seconds for which the busiest thread was ready to run, and others had the CPUs.

        Source: the second number of `/proc/PID/task/TID/schedstat` (Linux:
        Documentation/scheduler/sched-stats.rst). It stays 0 on a kernel without scheduler statistics.
        """
        try:
            waits = [_run_delay(thread) for thread in (self._home / "task").iterdir()]
        except OSError:
            waits = []
        self._waited = max([self._waited, *waits])
        return self._waited


def _run_delay(thread: Path) -> float:
    try:
        return int((thread / "schedstat").read_text(encoding="utf-8").split()[1]) / 1e9
    except (OSError, IndexError, ValueError):
        return 0.0

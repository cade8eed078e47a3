"""How many machines this host can bear at once."""

from __future__ import annotations

import os
from pathlib import Path

from harness.errors import ConfigError
from kola.run.plan import RunPlan

PER_CPU = 4
"""Machines a CPU can bear: guests wait a good part of their time, even while booting."""

_MIB = 1024 * 1024
_OVERHEAD_MIB = 300  # QEMU itself and the worker that drives it


def workers(wanted: str, plan: RunPlan) -> int:
    """The number of workers for `--parallel`: as typed, or with `auto` as many as there are CPUs.

    Never more than memory holds machines of the default size, than PER_CPU for each CPU, or than there
    are tests.
    """
    if wanted == "auto":
        count = cpus()
    elif wanted.isdecimal() and int(wanted) > 0:
        count = int(wanted)
    else:
        raise ConfigError(f"--parallel {wanted!r} is no number of tests", hint="write a number, or auto")
    fit = available_memory() // ((plan.base_spec().memory_mib + _OVERHEAD_MIB) * _MIB)
    return max(1, min(count, fit, PER_CPU * cpus(), max(1, len(plan.tests))))


def cpus(root: Path = Path("/")) -> int:
    """CPUs this process may use, capped by cgroup v2's cpu.max (rounded up)."""
    count = len(os.sched_getaffinity(0))
    try:
        quota, period = (root / "sys/fs/cgroup/cpu.max").read_text().split()
    except (OSError, ValueError):
        return count
    if quota == "max":
        return count
    return max(1, min(count, -(-int(quota) // int(period))))


def available_memory(root: Path = Path("/")) -> int:
    """Bytes: the smaller of MemAvailable and what cgroup v2's limit leaves."""
    available = 0
    for line in (root / "proc/meminfo").read_text().splitlines():
        if line.startswith("MemAvailable:"):
            available = int(line.split()[1]) * 1024
    group = root / "sys/fs/cgroup"
    try:
        limit = (group / "memory.max").read_text().strip()
        used = int((group / "memory.current").read_text())
    except (OSError, ValueError):
        return available
    return available if limit == "max" else min(available, int(limit) - used)

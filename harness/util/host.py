"""CPUs and memory of this host, within the limits of our control groups."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from harness.util.cgroups import cpu_limits, memory_limits

_KIB = 1024


def cpus(root: Path = Path("/")) -> int:
    """Return the CPUs this process may use: its affinity, capped by the quotas of its control groups."""
    return max(1, min([len(os.sched_getaffinity(0)), *cpu_limits(root)]))


def total_memory(root: Path = Path("/")) -> int:
    """Return the bytes of memory in all: MemTotal, or the lowest limit of our control groups."""
    return min([_meminfo(root, "MemTotal"), *(limit for limit, _ in memory_limits(root))])


def available_memory(root: Path = Path("/")) -> int:
    """Return the bytes of memory available now: MemAvailable, or the rest of a cgroup without its page
    cache.
    """
    return min([_meminfo(root, "MemAvailable"), *(limit - used for limit, used in memory_limits(root))])


def resident_memory(ancestors: Iterable[int], root: Path = Path("/")) -> dict[int, int]:
    """Return, for each process id, the bytes that it and its descendants hold and cannot drop.

    The bytes are RssAnon and RssShmem of proc(5). For a clone, which maps its template's memory
    copy-on-write, they are the pages that its guest has written.
    """
    wanted = list(ancestors)
    below = descendants(wanted, root)
    return {ancestor: sum(held_memory(pid, root) for pid in below[ancestor]) for ancestor in wanted}


def descendants(ancestors: Iterable[int], root: Path = Path("/")) -> dict[int, list[int]]:
    """Return, for each process id, those of its children and of theirs."""
    children: dict[int, list[int]] = {}
    for entry in os.scandir(root / "proc"):
        if entry.name.isdecimal():
            with contextlib.suppress(OSError, ValueError, IndexError):
                stat = Path(entry.path, "stat").read_text(encoding="utf-8", errors="replace")
                parent = int(stat.rpartition(")")[2].split()[1])
                children.setdefault(parent, []).append(int(entry.name))
    return {ancestor: list(_below(ancestor, children)) for ancestor in ancestors}


def _below(pid: int, children: dict[int, list[int]]) -> Iterator[int]:
    for child in children.get(pid, ()):
        yield child
        yield from _below(child, children)


def held_memory(pid: int, root: Path = Path("/")) -> int:
    """Return the bytes that a process holds and cannot drop: RssAnon and RssShmem of proc(5)."""
    total = 0
    with contextlib.suppress(OSError):
        for line in (root / f"proc/{pid}/status").read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith(("RssAnon:", "RssShmem:")):
                total += int(line.split()[1]) * _KIB
    return total


def _meminfo(root: Path, key: str) -> int:
    for line in (root / "proc/meminfo").read_text(encoding="utf-8").splitlines():
        if line.startswith(f"{key}:"):
            return int(line.split()[1]) * _KIB
    return 0

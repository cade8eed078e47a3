"""What this host has for machines: CPUs and memory, as far as our control group lets us have them."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from harness.errors import ConfigError
from harness.util.sizes import parse_size

LIMIT = "KOLA_MEMORY"
"""Names the environment variable with the most that tests may take together, such as 6G."""

_KIB = 1024
_UNLIMITED = 1 << 62


def allowed_memory() -> int:
    """Bytes that the user lets all tests take together, by KOLA_MEMORY. Raises ConfigError."""
    text = os.environ.get(LIMIT, "")
    if not text:
        return _UNLIMITED
    try:
        return parse_size(text)
    except ConfigError as error:
        raise ConfigError(f"{LIMIT}: {error.message}", hint=error.hint) from None


def cpus(root: Path = Path("/")) -> int:
    """CPUs this process may use, capped by cgroup v2's cpu.max (rounded up)."""
    count = len(os.sched_getaffinity(0))
    for group in _groups(root):
        with contextlib.suppress(OSError, ValueError):
            quota, period = (group / "cpu.max").read_text().split()
            if quota != "max":
                count = min(count, -(-int(quota) // int(period)))
    return max(1, count)


def total_memory(root: Path = Path("/")) -> int:
    """Bytes that all of us could ever have: MemTotal, or the least limit of our cgroups."""
    return min([_meminfo(root, "MemTotal"), *(limit for limit, _ in _limits(root))])


def available_memory(root: Path = Path("/")) -> int:
    """Bytes to be had now: MemAvailable, or what a cgroup leaves once its page cache is dropped."""
    return min([_meminfo(root, "MemAvailable"), *(limit - used for limit, used in _limits(root))])


def resident_memory(ancestors: Iterable[int], root: Path = Path("/")) -> dict[int, int]:
    """Bytes that the processes below each of these hold and could not drop (proc(5): RssAnon, RssShmem).

    Of a clone, which maps its template's memory copy-on-write, that is what its guest has written.
    """
    children: dict[int, list[int]] = {}
    for entry in os.scandir(root / "proc"):
        if entry.name.isdecimal():
            with contextlib.suppress(OSError, ValueError, IndexError):
                stat = Path(entry.path, "stat").read_text()
                parent = int(stat.rpartition(")")[2].split()[1])
                children.setdefault(parent, []).append(int(entry.name))
    return {ancestor: sum(_held(root, pid) for pid in _below(ancestor, children)) for ancestor in ancestors}


def _below(pid: int, children: dict[int, list[int]]) -> Iterator[int]:
    for child in children.get(pid, ()):
        yield child
        yield from _below(child, children)


def _held(root: Path, pid: int) -> int:
    total = 0
    with contextlib.suppress(OSError):
        for line in (root / f"proc/{pid}/status").read_text().splitlines():
            if line.startswith(("RssAnon:", "RssShmem:")):
                total += int(line.split()[1]) * _KIB
    return total


def _meminfo(root: Path, key: str) -> int:
    for line in (root / "proc/meminfo").read_text().splitlines():
        if line.startswith(f"{key}:"):
            return int(line.split()[1]) * _KIB
    return 0


def _limits(root: Path) -> Iterator[tuple[int, int]]:
    """Limit and use in bytes of each of our cgroups that has a limit."""
    for group in _groups(root):
        with contextlib.suppress(OSError, ValueError):
            limit = (group / "memory.max").read_text().strip()
            if limit != "max":
                used = int((group / "memory.current").read_text())
                yield int(limit), max(0, used - _cache(group))


def _cache(group: Path) -> int:
    with contextlib.suppress(OSError, ValueError):
        rows = dict(line.split() for line in (group / "memory.stat").read_text().splitlines())
        return int(rows.get("inactive_file", 0)) + int(rows.get("active_file", 0))
    return 0


def _groups(root: Path) -> Iterator[Path]:
    """Our cgroup (v2) and those around it."""
    top = root / "sys/fs/cgroup"
    with contextlib.suppress(OSError):
        for line in (root / "proc/self/cgroup").read_text().splitlines():
            if line.startswith("0::/"):
                path = Path(line.removeprefix("0::/"))
                yield from (top / part for part in (path, *path.parents) if part != Path())
    yield top

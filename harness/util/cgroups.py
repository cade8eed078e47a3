"""The limits of our control groups, in version 2 (one tree) and version 1 (a tree for each controller).

Formats: the kernel's Documentation/admin-guide/cgroup-v2.rst and cgroup-v1/memory.rst. openEuler boots with
version 1 by default; both may exist at once.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_UNIFIED = ""


@dataclass(frozen=True)
class _MemoryFiles:
    """The files of one group; `cache` holds the keys of its `memory.stat` for droppable pages."""

    limit: str
    used: str
    cache: tuple[str, ...]


_MEMORY = {
    _UNIFIED: _MemoryFiles("memory.max", "memory.current", ("inactive_file", "active_file")),
    "memory": _MemoryFiles(
        "memory.limit_in_bytes", "memory.usage_in_bytes", ("total_inactive_file", "total_active_file")
    ),
}


def memory_limits(root: Path = Path("/")) -> Iterator[tuple[int, int]]:
    """Yield limit and use in bytes of each of our groups that has a limit; page cache does not count as
    used.
    """
    for controller, files in _MEMORY.items():
        for group in _groups(root, controller):
            with contextlib.suppress(OSError, ValueError):
                limit = _text(group / files.limit)
                if limit != "max":  # version 1 gives a number no host has
                    used = int(_text(group / files.used))
                    yield int(limit), max(0, used - _cache(group, files.cache))


def cpu_limits(root: Path = Path("/")) -> Iterator[int]:
    """Yield the CPUs that each of our groups with a quota may use, rounded up."""
    for group in _groups(root, _UNIFIED):
        with contextlib.suppress(OSError, ValueError):
            quota, period = _text(group / "cpu.max").split()
            if quota != "max":
                yield -(-int(quota) // int(period))
    for group in _groups(root, "cpu"):
        with contextlib.suppress(OSError, ValueError):
            quota, period = _text(group / "cpu.cfs_quota_us"), _text(group / "cpu.cfs_period_us")
            if int(quota) > 0:
                yield -(-int(quota) // int(period))


def _cache(group: Path, keys: tuple[str, ...]) -> int:
    with contextlib.suppress(OSError, ValueError):
        rows = dict(line.split() for line in _text(group / "memory.stat").splitlines())
        return sum(int(rows.get(key, 0)) for key in keys)
    return 0


def _groups(root: Path, controller: str) -> Iterator[Path]:
    """Yield our group in the controller's tree and its ancestors. A container may see only the tree's top."""
    top = root / "sys/fs/cgroup" / controller
    with contextlib.suppress(OSError):
        for line in _text(root / "proc/self/cgroup").splitlines():
            _, controllers, path = line.split(":", 2)
            if controller in controllers.split(","):
                own = Path(path.lstrip("/"))
                yield from (top / part for part in (own, *own.parents) if part != Path())
    yield top


def _text(file: Path) -> str:
    return file.read_text(encoding="utf-8", errors="surrogateescape").strip()

"""Directories that are made exactly once, whoever asks for them and however many ask."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path

from harness.errors import DeadlineExceeded
from harness.util.deadline import Deadline
from harness.util.locks import exclusive

_TEMPORARY = ".building-"
_LONGEST = 7200.0
"""Seconds that the making of a directory by another process is waited for."""


def lock_of(target: Path) -> Path:
    """Return the file whose lock is held while `target` is made."""
    return target.parent / f".{target.name}.lock"


def make_once(
    target: Path,
    fill: Callable[[Path], None],
    *,
    finished: Callable[[Path], bool],
    discard: Callable[[Path], None],
    force: bool = False,
    on_wait: Callable[[], None] | None = None,
) -> bool:
    """Make `target` by `fill(temporary)` and a rename; return False when it was `finished` already.

    Of processes that start at once one makes it; the others wait and use its result. The remains of killed
    processes are removed by the next call. `discard` removes a directory. Raises DeadlineExceeded.
    """
    if finished(target) and not force:
        return False
    with exclusive(lock_of(target), deadline=Deadline(_LONGEST), on_wait=on_wait):
        if finished(target) and not force:
            return False
        _remove_leftovers(target, discard)
        temporary = target.parent / f"{_TEMPORARY}{target.name}"
        temporary.mkdir(mode=0o755)
        try:
            fill(temporary)
            if target.exists():
                discard(target)
            temporary.rename(target)
        finally:
            if temporary.exists():
                discard(temporary)
    return True


def _remove_leftovers(target: Path, discard: Callable[[Path], None]) -> None:
    """Remove abandoned directories: that of `target`, whose lock we hold, and those with a free lock."""
    for leftover in target.parent.glob(f"{_TEMPORARY}*"):
        other = target.parent / leftover.name.removeprefix(_TEMPORARY)
        if other == target:
            discard(leftover)
            continue
        with contextlib.suppress(DeadlineExceeded), exclusive(lock_of(other), deadline=Deadline(0)):
            discard(leftover)

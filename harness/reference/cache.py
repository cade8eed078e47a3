"""Where finished builds live, and how one comes to be there exactly once."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from harness.reference.commit import discard

Progress = Callable[[str], None]
_TEMPORARY = ".building-"


def cache_root() -> Path:
    """`${XDG_CACHE_HOME:-~/.cache}/kola/reference`."""
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "kola" / "reference"


@contextmanager
def locked(path: Path, progress: Progress) -> Iterator[None]:
    """Hold an exclusive lock on `path`; the kernel gives it up for a holder that is killed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            progress("another process is building the reference OS: waiting for it")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def is_finished(directory: Path) -> bool:
    """Whether `directory` holds a build root; only finished ones are ever given their name."""
    return (directory / "builds" / "builds.json").is_file()


def build_once(target: Path, fill: Callable[[Path], None], *, force: bool, progress: Progress) -> bool:
    """Make `target` by `fill(temporary)` and a rename; return False when it was already there.

    Of processes that start at once one builds, the others wait and take its result. What a killed
    build left behind is removed by the next, whatever it was to become.
    """
    if is_finished(target) and not force:
        return False
    with locked(target.parent / f".{target.name}.lock", progress):
        if is_finished(target) and not force:
            return False
        _remove_leftovers(target)
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


def _remove_leftovers(target: Path) -> None:
    """What nobody is at work on: builds of `target`, whose lock we hold, and those whose lock nobody does."""
    for leftover in target.parent.glob(f"{_TEMPORARY}*"):
        name = leftover.name.removeprefix(_TEMPORARY)
        if name == target.name:
            discard(leftover)
            continue
        with (target.parent / f".{name}.lock").open("w") as file, contextlib.suppress(BlockingIOError):
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            discard(leftover)

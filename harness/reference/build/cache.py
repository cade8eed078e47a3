"""The cache of finished builds, in which each is made exactly once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from harness.reference.build.commit import discard
from harness.util import paths
from harness.util.deadline import Deadline
from harness.util.locks import exclusive
from harness.util.once import make_once

Progress = Callable[[str], None]
_WAIT_SECONDS = 7200.0


def cache_root() -> Path:
    """Return the directory of the builds in kola's cache. Raises ConfigError without a home."""
    return paths.cache_root() / "reference"


@contextmanager
def locked(path: Path, progress: Progress) -> Iterator[None]:
    """Hold an exclusive lock on `path`. The kernel frees it when the holder is killed."""
    with exclusive(path, deadline=Deadline(_WAIT_SECONDS), on_wait=lambda: _wait(progress)):
        yield


def is_finished(directory: Path) -> bool:
    """Return True when `directory` holds a build root. Only finished ones get their final name."""
    return (directory / "builds" / "builds.json").is_file()


def build_once(target: Path, fill: Callable[[Path], None], *, force: bool, progress: Progress) -> bool:
    """Make the build root `target` by `fill(temporary)`; return False when it existed already."""
    return make_once(
        target, fill, finished=is_finished, discard=discard, force=force, on_wait=lambda: _wait(progress)
    )


def _wait(progress: Progress) -> None:
    progress("another process is building the reference OS: waiting for it")

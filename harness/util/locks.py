"""Advisory file locks between processes of one host."""

from __future__ import annotations

import fcntl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from harness.util.deadline import Deadline


@contextmanager
def exclusive(
    path: Path,
    *,
    deadline: Deadline,
    on_wait: Callable[[], None] | None = None,
    interval: float = 0.1,
) -> Iterator[None]:
    """Hold `path` locked (flock(2)); the kernel frees it when the holder dies.

    `on_wait` is called once when another process holds it; the lock is then tried every `interval` seconds.
    Raises DeadlineExceeded.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+b") as handle:

        def take() -> bool:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return False
            return True

        if not take():
            if on_wait is not None:
                on_wait()
            deadline.poll(take, step=f"waiting for the lock {path}", interval=interval)
        yield

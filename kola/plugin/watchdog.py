"""A test's time limit that nothing in the test can outlast."""

from __future__ import annotations

import faulthandler
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from kola.plugin.context import TestContext, TestTimeout

GRACE_SECONDS = 30.0
EXIT_STATUS = 70


@contextmanager
def watch(context: TestContext) -> Iterator[None]:
    """While inside: when the deadline passes, power the machines off and raise TestTimeout here.

    Code that ignores even that is ended with its whole process after GRACE_SECONDS, its stacks written
    to `stuck.txt`; the scheduler loses this one test only. Main thread only, for it uses SIGALRM.
    """

    def ring(number: int, frame: FrameType | None) -> None:
        limit = context.deadline.elapsed
        for machine in context.machines:
            machine.instance.kill(f"the test's time was up after {limit:.0f} s")
        console = context.machines[-1].console.text(1) if context.machines else ""
        raise TestTimeout("running the test", seconds=limit, last_seen=console)

    remaining = max(0.01, context.deadline.remaining)
    last_resort = threading.Timer(remaining + GRACE_SECONDS, _give_up, [context])
    last_resort.daemon = True
    last_resort.start()
    previous = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, remaining)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, previous)
        last_resort.cancel()


def _give_up(context: TestContext) -> None:
    with (context.directory / "stuck.txt").open("w") as out:
        out.write(f"{context.info.name} could not be interrupted; these are the stacks:\n")
        out.flush()
        faulthandler.dump_traceback(out)
    os._exit(EXIT_STATUS)

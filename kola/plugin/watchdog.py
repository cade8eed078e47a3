"""The time limit of a test, which nothing in the test can outlast."""

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
    """Context with a time limit: when the deadline passes, power the machines off and raise TestTimeout in a
    phase.

    Between the phases of a test (setup, call) pytest's own code runs, which nothing may interrupt: the next
    phase then begins with the exception. Code that ignores even that is ended with its whole process after
    GRACE_SECONDS, and its stacks are written to `stuck.txt`; the scheduler loses this one test only. Main
    thread only, since it uses SIGALRM.
    """

    def ring(number: int, frame: FrameType | None) -> None:
        limit = context.deadline.elapsed
        for machine in context.machines:
            machine.instance.kill(f"the test's time was up after {limit:.0f} s")
        console = context.machines[-1].console.text(1) if context.machines else ""
        context.timeout = TestTimeout("running the test", seconds=limit, last_seen=console)
        if context.in_phase:
            raise context.timeout

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


@contextmanager
def phase(context: TestContext) -> Iterator[None]:
    """Context that the time limit may interrupt. A limit that passed before is raised at once."""
    context.in_phase = True
    try:
        if context.timeout is not None:
            raise context.timeout
        yield
    finally:
        context.in_phase = False


def _give_up(context: TestContext) -> None:
    with (context.directory / "stuck.txt").open("w", encoding="utf-8") as out:
        out.write(f"{context.info.name} could not be interrupted; these are the stacks:\n")
        out.flush()
        faulthandler.dump_traceback(out)
    os._exit(EXIT_STATUS)

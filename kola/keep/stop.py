"""Ends kept machines from outside."""

from __future__ import annotations

import contextlib
import os
import signal

from harness.errors import InfrastructureError
from harness.util.deadline import Deadline
from kola.keep.protocol import Order, Request, ask
from kola.keep.record import Kept, State
from kola.keep.register import kept_machines

_ANSWER_SECONDS = 20.0
_GONE_SECONDS = 10.0


def stop(kept: Kept) -> None:
    """End the machine and remove its files. A keeper that does not answer is ended by signals.

    Raises DeadlineExceeded when even that does not help.
    """
    if kept.state is State.RUNNING:
        try:
            ask(kept.control, Request(order=Order.STOP, seconds=_ANSWER_SECONDS))
        except InfrastructureError:
            _end(kept, signal.SIGKILL)
    else:
        _end(kept, signal.SIGTERM)
    Deadline(_GONE_SECONDS).poll(lambda: not _there(kept), step=f"waiting for {kept.name} to end")


def _end(kept: Kept, number: signal.Signals) -> None:
    """Signal the keeper. A registered keeper lives, so the process id is its own."""
    if _there(kept):
        with contextlib.suppress(ProcessLookupError):
            os.kill(kept.pid, number)


def _there(kept: Kept) -> bool:
    return any((one.name, one.started) == (kept.name, kept.started) for one in kept_machines())

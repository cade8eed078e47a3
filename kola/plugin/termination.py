"""Signals that end a run: it stops with a verdict and reports, whose writing nothing interrupts."""

from __future__ import annotations

import signal
import sys
from types import FrameType
from typing import Any

import pytest

from harness.util.language import tr

_ENDING = {
    signal.SIGTERM: "interrupted by SIGTERM",
    signal.SIGHUP: "interrupted by SIGHUP: the terminal was closed",
}
_SIGNALS = (signal.SIGINT, *_ENDING)


class Termination:
    """The signal handlers of a session. Only for the controller, in its main thread.

    The first signal ends the run: SIGTERM (by which CI systems cancel a job) and SIGHUP act like Ctrl-C.
    Later ones only print a message, since machines are being closed and reports written.
    """

    def __init__(self) -> None:
        self._before: dict[int, Any] = {}

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionstart(self) -> None:
        nohup = signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
        heard = [number for number in _SIGNALS if number != signal.SIGHUP or not nohup]
        self._before = {number: signal.signal(number, self._end) for number in heard}

    @pytest.hookimpl(trylast=True)
    def pytest_unconfigure(self) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _end(self, number: int, frame: FrameType | None) -> None:
        for one in self._before:
            signal.signal(one, _say)
        if number == signal.SIGINT:
            raise KeyboardInterrupt
        pytest.exit(_ENDING[signal.Signals(number)])


def _say(number: int, frame: FrameType | None) -> None:
    print(tr("kola: the run is ending; its reports are being written"), file=sys.stderr, flush=True)

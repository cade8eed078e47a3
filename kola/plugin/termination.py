"""Signals that end a run: it stops with a verdict and reports, whose writing nothing interrupts."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Sequence
from types import FrameType
from typing import Any

import pytest

from harness.util.language import tr

_ENDING = {
    signal.SIGTERM: "interrupted by SIGTERM",
    signal.SIGHUP: "interrupted by SIGHUP: the terminal was closed",
}
_HEARD = (signal.SIGINT, *_ENDING)
_AGAIN = 0.02  # seconds until a signal whose exception was lost is sent again


class Termination:
    """The signal handlers of a session. For the main thread of the controller and of each worker.

    The first signal ends the run: SIGTERM (by which CI systems cancel a job) and SIGHUP act like Ctrl-C.
    Later ones only print a message, since machines are being closed and reports written; until the process
    ends they raise nothing.
    """

    def __init__(self, heard: Sequence[signal.Signals] = _HEARD, *, tell: bool = True) -> None:
        self._heard = heard
        self._tell = tell
        self._before: dict[int, Any] = {}
        self._unraisable_before: Any = None
        self._ending: signal.Signals | None = None
        self._over = False

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionstart(self) -> None:
        nohup = signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
        heard = [number for number in self._heard if number != signal.SIGHUP or not nohup]
        self._unraisable_before = sys.unraisablehook
        sys.unraisablehook = self._unraisable
        self._before = {number: signal.signal(number, self._hear) for number in heard}

    @pytest.hookimpl(trylast=True)
    def pytest_unconfigure(self) -> None:
        self._over = True
        if self._unraisable_before is not None:
            sys.unraisablehook = self._unraisable_before

    def restore(self) -> None:
        """Put the former handlers back. When a signal ended the run, ignore more of them from now on.

        Call it after pytest's last garbage collection, whose finalizers would lose a KeyboardInterrupt.
        Only an ignored signal stays harmless while Python ends: it gives handlers of Python functions up.
        """
        for number, handler in self._before.items():
            if signal.getsignal(number) == self._hear:
                signal.signal(number, signal.SIG_IGN if self._ending else handler)

    def _hear(self, number: int, frame: FrameType | None) -> None:
        if self._ending is not None or self._over:
            self._say()
            return
        self._ending = signal.Signals(number)
        if number == signal.SIGINT:
            raise KeyboardInterrupt
        pytest.exit(_ENDING[self._ending])

    def _say(self) -> None:
        if self._tell:
            print(tr("kola: the run is ending; its reports are being written"), file=sys.stderr, flush=True)

    def _unraisable(self, args: sys.UnraisableHookArgs) -> None:
        """Send the signal again when Python dropped its exception, as it does in a finalizer."""
        number = self._ending
        if number is None or not issubclass(args.exc_type, (KeyboardInterrupt, pytest.exit.Exception)):
            self._unraisable_before(args)
            return
        self._ending = None
        main = threading.main_thread().ident
        assert main is not None
        again = threading.Timer(_AGAIN, signal.pthread_kill, (main, number))
        again.daemon = True
        again.start()

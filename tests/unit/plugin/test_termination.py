"""What the first signal of a run does, and that none of the later ones does anything."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator

import pytest

from harness.util.deadline import Deadline
from kola.plugin.termination import Termination


@pytest.fixture
def termination() -> Iterator[Termination]:
    """Heard as in a session, for as long as the test lasts."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    hook = sys.unraisablehook
    signal.signal(signal.SIGHUP, signal.SIG_DFL)  # nohup(1) may have it ignored
    made = Termination()
    made.pytest_sessionstart()
    yield made
    made.pytest_unconfigure()
    for number, handler in before.items():
        signal.signal(number, handler)
    assert sys.unraisablehook == hook


class Finalized:
    """An object in whose finalizer a signal arrives."""

    def __init__(self, number: signal.Signals) -> None:
        self.number = number

    def __del__(self) -> None:
        os.kill(os.getpid(), self.number)


def test_the_first_signal_ends_the_run_and_later_ones_only_print(
    termination: Termination, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.raise_signal(number)
    assert capsys.readouterr().err.count("the run is ending") == 3


@pytest.mark.parametrize(
    ("number", "raised"),
    [(signal.SIGINT, KeyboardInterrupt), (signal.SIGTERM, pytest.exit.Exception)],
)
def test_a_signal_in_a_finalizer_ends_the_run_all_the_same(
    termination: Termination, number: signal.Signals, raised: type[BaseException]
) -> None:
    with pytest.raises(raised):
        Finalized(number)
        Deadline(10).poll(lambda: False, step="waiting for the signal to be heard", interval=0.01)


def test_other_faults_of_a_finalizer_are_shown_as_ever(
    termination: Termination, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Broken:
        def __del__(self) -> None:
            raise ValueError("broken")

    seen: list[type[BaseException]] = []
    monkeypatch.setattr(termination, "_unraisable_before", lambda args: seen.append(args.exc_type))
    Broken()
    monkeypatch.undo()
    assert seen == [ValueError]


def test_signals_in_the_last_garbage_collection_raise_nothing(
    termination: Termination, capsys: pytest.CaptureFixture[str]
) -> None:
    termination.pytest_unconfigure()
    Finalized(signal.SIGINT)
    assert "the run is ending" in capsys.readouterr().err
    termination.restore()
    assert signal.getsignal(signal.SIGINT) == signal.default_int_handler


def test_a_run_ended_by_a_signal_is_followed_by_no_other_exception(termination: Termination) -> None:
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)
    termination.pytest_unconfigure()
    termination.restore()
    signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) == signal.SIG_IGN


def test_a_worker_hears_ctrl_c_once_and_stays_silent(capsys: pytest.CaptureFixture[str]) -> None:
    before = signal.getsignal(signal.SIGINT)
    worker = Termination([signal.SIGINT], tell=False)
    worker.pytest_sessionstart()
    try:
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)
    finally:
        worker.pytest_unconfigure()
        signal.signal(signal.SIGINT, before)
    assert capsys.readouterr().err == ""

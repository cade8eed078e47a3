from __future__ import annotations

import signal
from pathlib import Path

import pytest

from harness.util.deadline import Deadline
from kola.cases.model import TestInfo
from kola.plugin.context import TestContext, TestTimeout
from kola.plugin.watchdog import phase, watch


def context(tmp_path: Path, seconds: float) -> TestContext:
    return TestContext(TestInfo("t"), tmp_path, Deadline(seconds), lambda *args, **words: None)


def wait_for_the_alarm() -> None:
    signal.sigtimedwait([], 1)


def test_a_phase_is_interrupted(tmp_path: Path) -> None:
    running = context(tmp_path, 0.05)
    with pytest.raises(TestTimeout), watch(running), phase(running):
        wait_for_the_alarm()


def test_between_phases_nothing_is_raised_until_the_next_begins(tmp_path: Path) -> None:
    running = context(tmp_path, 0.05)
    with watch(running):
        with phase(running):
            pass
        wait_for_the_alarm()
        with pytest.raises(TestTimeout), phase(running):
            pytest.fail("the phase began")


def test_in_time_nothing_happens(tmp_path: Path) -> None:
    running = context(tmp_path, 30)
    with watch(running), phase(running):
        pass
    assert running.timeout is None
    assert signal.getitimer(signal.ITIMER_REAL)[0] == 0

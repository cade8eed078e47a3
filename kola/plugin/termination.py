"""SIGTERM, by which CI systems cancel a job, ends a run as Ctrl-C does: with a verdict and reports."""

from __future__ import annotations

import signal
from types import FrameType
from typing import Any

import pytest


class Termination:
    """Listens to SIGTERM for as long as a session lasts. Only for the controller, in its main thread."""

    def __init__(self) -> None:
        self._before: Any = signal.SIG_DFL

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionstart(self) -> None:
        self._before = signal.signal(signal.SIGTERM, _end)

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self) -> None:
        signal.signal(signal.SIGTERM, self._before)


def _end(number: int, frame: FrameType | None) -> None:
    pytest.exit("interrupted by SIGTERM")

"""The first failure that a test's context remembers."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from harness.errors import DeadlineExceeded
from harness.util.deadline import Deadline
from kola.cases.model import TestInfo
from kola.plugin.context import TestContext, TestTimeout


def context(*waits: float, elapsed: float) -> TestContext:
    made = TestContext(TestInfo("some.test"), Path(), Deadline(600), lambda *args, **data: None)
    made.deadline._start -= elapsed
    machines: Any = [SimpleNamespace(waited_for_cpu=waited) for waited in waits]
    made.machines += machines
    return made


@pytest.mark.parametrize("kind", [DeadlineExceeded, TestTimeout])
def test_a_time_out_on_a_busy_host_says_so(kind: type[DeadlineExceeded]) -> None:
    busy = context(3.0, 64.0, elapsed=112.0)
    busy.record_failure(kind("running x", seconds=112.0))
    assert busy.failure.splitlines() == [
        "timed out after 112 s while running x",
        "this host was busy: the machine waited 64 s for a CPU",
    ]


@pytest.mark.parametrize("waits", [(), (3.0,)])
def test_a_time_out_on_an_idle_host_does_not(waits: tuple[float, ...]) -> None:
    idle = context(*waits, elapsed=112.0)
    idle.record_failure(DeadlineExceeded("running x", seconds=112.0))
    assert idle.failure == "timed out after 112 s while running x"


def test_other_failures_do_not_speak_of_the_host() -> None:
    busy = context(64.0, elapsed=112.0)
    busy.record_failure(AssertionError("no"))
    assert busy.failure == "no"

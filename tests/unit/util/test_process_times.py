"""Times of a process, read from this host's kernel."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from harness.util.deadline import Deadline
from harness.util.process_times import ProcessTimes

SPIN = [sys.executable, "-c", "while True: pass"]


@pytest.fixture
def crowd() -> Iterator[list[int]]:
    """Three processes that all want the one CPU they may run on."""
    cpu = min(os.sched_getaffinity(0))
    with ExitStack() as owned:
        processes = [owned.enter_context(subprocess.Popen(["taskset", "-c", str(cpu), *SPIN])) for _ in "abc"]
        for process in processes:
            owned.callback(process.kill)
        yield [process.pid for process in processes]


@pytest.mark.skipif(not Path("/proc/self/schedstat").exists(), reason="a kernel without scheduler statistics")
def test_a_process_among_others_waits_for_its_cpu(crowd: list[int]) -> None:
    times = ProcessTimes(crowd[0])
    Deadline(60).poll(lambda: times.waited > 0.5 and times.used > 0, step="waiting for a wait")


def test_times_of_a_process_that_has_ended_stay_as_they_were() -> None:
    with subprocess.Popen(SPIN) as process:
        times = ProcessTimes(process.pid)
        Deadline(60).poll(lambda: times.used > 0.2, step="waiting for CPU time")
        used, waited = times.used, times.waited
        process.kill()
    assert (times.used, times.waited) == (pytest.approx(used, abs=1.0), pytest.approx(waited, abs=1.0))
    assert times.used >= used


def test_no_process_at_all() -> None:
    assert (ProcessTimes(2**30).used, ProcessTimes(2**30).waited) == (0.0, 0.0)

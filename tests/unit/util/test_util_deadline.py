"""Deadlines: what is left, what runs out, and what is said then."""

from __future__ import annotations

import threading
import time

import pytest

from harness.errors import DeadlineExceeded
from harness.util.deadline import Deadline


def test_a_shorter_step_ends_before_the_whole() -> None:
    whole = Deadline(100)
    assert whole.sub(5).remaining == pytest.approx(5, abs=0.5)
    assert Deadline(1).sub(5).remaining == pytest.approx(1, abs=0.5)


def test_nothing_is_left_after_the_end() -> None:
    over = Deadline(0)
    assert over.expired
    assert over.remaining == 0
    with pytest.raises(DeadlineExceeded, match="while opening the door; last seen: a closed door"):
        over.check("opening the door", "a closed door")


def test_time_that_is_left_raises_nothing() -> None:
    Deadline(10).check("opening the door")


def test_polling_returns_what_the_probe_found() -> None:
    answers = iter([None, False, "found"])
    assert Deadline(5).poll(lambda: next(answers), step="looking", interval=0.001) == "found"


def test_zero_and_the_empty_text_are_found_as_well() -> None:
    assert Deadline(1).poll(lambda: "", step="looking") == ""


def test_polling_gives_up_with_what_was_seen_last() -> None:
    with pytest.raises(DeadlineExceeded) as caught:
        Deadline(0.05).poll(lambda: None, step="looking", interval=0.01, last_seen=lambda: "nothing")
    assert (caught.value.step, caught.value.last_seen) == ("looking", "nothing")


def test_the_probe_is_asked_once_more_at_the_very_end() -> None:
    calls: list[float] = []
    limit = Deadline(0.1)

    def probe() -> bool:
        calls.append(limit.remaining)
        return limit.expired

    limit.poll(probe, step="looking", interval=60)
    assert len(calls) == 2


def test_a_wake_up_cuts_the_pause_short() -> None:
    wake = threading.Event()
    found = threading.Event()

    def arrive() -> None:
        found.set()
        wake.set()

    threading.Timer(0.05, arrive).start()
    started = time.monotonic()
    Deadline(20).poll(found.is_set, step="looking", interval=10, wake=wake)
    assert time.monotonic() - started < 5
    assert not wake.is_set(), "it is cleared for the next wait"

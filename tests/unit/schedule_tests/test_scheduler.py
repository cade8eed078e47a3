from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from kola.schedule import KolaScheduling, durations


class Worker:
    """What the scheduler knows of an xdist worker."""

    class gateway:
        id = "gw0"

    def __init__(self) -> None:
        self.given: list[int] = []
        self.ended = False

    def send_runtest_some(self, indices: list[int]) -> None:
        self.given += indices

    def shutdown(self) -> None:
        self.ended = True


class Config:
    def getvalue(self, name: str) -> Any:
        return ["popen", "popen"] if name == "tx" else None


def started(order: list[int], *workers: Worker) -> KolaScheduling:
    scheduling = KolaScheduling(Config(), lambda ids: list(order))
    for worker in workers:
        scheduling.add_node(worker)
        scheduling.add_node_collection(worker, ["a", "b", "c", "d"])
    scheduling.schedule()
    return scheduling


def test_each_idle_worker_gets_one_test_and_no_more() -> None:
    one, two = Worker(), Worker()
    started([3, 1, 0, 2], one, two)
    assert (one.given, two.given) == ([3], [1])


def test_no_test_waits_behind_a_long_one() -> None:
    long, quick = Worker(), Worker()
    scheduling = started([0, 1, 2, 3], long, quick)
    for index in (1, 2, 3):
        scheduling.mark_test_complete(quick, index)
    assert (long.given, quick.given) == ([0], [1, 2, 3])
    assert scheduling.has_pending
    scheduling.mark_test_complete(long, 0)
    assert scheduling.tests_finished


def test_it_waits_for_every_worker_to_collect() -> None:
    scheduling = KolaScheduling(Config(), lambda ids: [0])
    first = Worker()
    scheduling.add_node(first)
    scheduling.add_node_collection(first, ["a"])
    assert not scheduling.collection_is_completed
    assert not scheduling.tests_finished


def test_a_crash_costs_only_the_test_that_ran_and_it_runs_once_more() -> None:
    good, bad = Worker(), Worker()
    scheduling = started([0, 1, 2, 3], good, bad)
    crashed = scheduling.remove_node(bad)
    assert crashed == "b"
    assert scheduling.may_retry(crashed)
    scheduling.mark_test_pending(crashed)
    replacement = Worker()
    scheduling.add_node(replacement)
    scheduling.add_node_collection(replacement, ["a", "b", "c", "d"])
    scheduling.schedule()
    assert replacement.given == [1]
    assert not scheduling.may_retry(crashed)


def test_a_worker_that_collected_something_else_is_refused() -> None:
    one, other = Worker(), Worker()
    scheduling = KolaScheduling(Config(), lambda ids: [])
    scheduling.add_node(one)
    scheduling.add_node(other)
    scheduling.add_node_collection(one, ["a"])
    with pytest.raises(RuntimeError, match="collected other tests"):
        scheduling.add_node_collection(other, ["b"])
    assert other.ended


def test_the_longest_start_first_and_the_unknown_before_them(tmp_path: Path) -> None:
    file = tmp_path / "durations.json"
    durations.record([("quick", "q", 1.0), ("slow", "s", 9.0)], file)
    assert durations.load(file).order(["q", "s", "new"]) == [2, 1, 0]


def test_a_record_blends_into_what_was(tmp_path: Path) -> None:
    file = tmp_path / "durations.json"
    durations.record([("t", "n", 10.0)], file)
    durations.record([("t", "n", 20.0)], file)
    assert durations.load(file).names == {"t": 15.0}


def test_a_damaged_record_is_learnt_anew(tmp_path: Path) -> None:
    file = tmp_path / "durations.json"
    file.write_text("{ not json")
    assert durations.load(file).names == {}
    durations.record([("t", "n", 2.0)], file)
    assert durations.load(file).names == {"t": 2.0}

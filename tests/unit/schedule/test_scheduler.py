from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kola.plugin.xdist.scheduler import KolaScheduling
from kola.run import durations
from kola.schedule.need import Need
from kola.schedule.pending import Kind


class Worker:
    """An xdist worker as the scheduler sees it."""

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
    scheduling = KolaScheduling(Config(), lambda ids, weights: list(order))
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


class Grants:
    """Memory for `room` MiB at once."""

    def __init__(self, memory_mib: int) -> None:
        self.memory_mib = memory_mib
        self.held: dict[str, Need] = {}
        self.over = ""
        self.avoided: dict[str, frozenset[str]] = {}

    def request(self, label: str, need: Need, avoid: frozenset[str] = frozenset()) -> str | None:
        self.avoided[label] = avoid
        if need.memory_mib > 1000:
            return "never"
        if sum(had.memory_mib for had in self.held.values()) + need.memory_mib > self.memory_mib:
            return None
        self.held[label] = need
        return ""

    def release(self, label: str) -> None:
        self.held.pop(label, None)


def restricted(
    needs: dict[str, Need], *workers: Worker, give_up: Callable[[str], None] = lambda reason: None
) -> tuple[KolaScheduling, Grants, list[bool]]:
    grants, alarms = Grants(100), list[bool]()
    scheduling = KolaScheduling(
        Config(),
        lambda ids, weights: [0, 1, 2, 3],
        kinds=lambda: {name: Kind(need) for name, need in needs.items()},
        grants=grants,
        look_again_later=lambda: alarms.append(True),
        give_up=give_up,
    )
    for worker in workers:
        scheduling.add_node(worker)
        scheduling.add_node_collection(worker, ["a", "b", "c", "d"])
    scheduling.schedule()
    return scheduling, grants, alarms


def test_what_does_not_fit_lets_others_go_first_and_comes_as_soon_as_it_fits() -> None:
    one, two = Worker(), Worker()
    needs = {"a": Need(80), "b": Need(90), "c": Need(20), "d": Need(90)}
    scheduling, grants, alarms = restricted(needs, one, two)
    assert (one.given, two.given) == ([0], [2])
    scheduling.mark_test_complete(two, 2)
    assert two.given == [2], "neither b nor d fits beside a"
    assert alarms
    scheduling.mark_test_complete(one, 0)
    assert sorted(one.given + two.given) == [0, 1, 2]
    assert list(grants.held) == ["b"]


def test_room_that_others_make_is_found_when_the_alarm_rings() -> None:
    one, two = Worker(), Worker()
    scheduling, grants, _ = restricted({"a": Need(60), "b": Need(60), "c": Need(60), "d": Need(60)}, one, two)
    assert two.given == []
    grants.memory_mib = 200
    scheduling.look_again()
    assert two.given == [1]


def test_what_can_never_be_met_is_handed_out_to_fail() -> None:
    one, two = Worker(), Worker()
    restricted({"a": Need(90), "b": Need(5000), "c": Need(90), "d": Need(90)}, one, two)
    assert (one.given, two.given) == ([0], [1])


def test_a_crashed_workers_grant_is_free_again() -> None:
    one, two = Worker(), Worker()
    scheduling, grants, _ = restricted({"a": Need(90), "b": Need(90)}, one, two)
    assert (one.given, two.given) == ([0], [2])
    assert scheduling.remove_node(one) == "a"
    assert not grants.held
    scheduling.mark_test_complete(two, 2)
    assert two.given == [2, 1]


def test_nobody_waits_for_a_template_that_another_makes_while_there_is_other_work() -> None:
    one, two, made = Worker(), Worker(), set[str]()
    kinds = {"a": Kind(templates=("t",)), "b": Kind(templates=("t", "u")), "c": Kind(), "d": Kind()}
    scheduling = KolaScheduling(
        Config(), lambda ids, weights: [0, 1, 2, 3], kinds=lambda: kinds, made=made.__contains__
    )
    for worker in (one, two):
        scheduling.add_node(worker)
        scheduling.add_node_collection(worker, ["a", "b", "c", "d"])
    scheduling.schedule()
    assert (one.given, two.given) == ([0], [2])
    made.add("t")
    scheduling.mark_test_complete(two, 2)
    assert two.given == [2, 1], "b waits no longer, and comes first again"


def test_with_nothing_else_to_do_it_is_waited_for() -> None:
    one, two = Worker(), Worker()
    scheduling = KolaScheduling(
        Config(),
        lambda ids, weights: [0, 1],
        kinds=lambda: {name: Kind(templates=("t",)) for name in "ab"},
        made=lambda template: False,
    )
    for worker in (one, two):
        scheduling.add_node(worker)
        scheduling.add_node_collection(worker, ["a", "b"])
    scheduling.schedule()
    assert (one.given, two.given) == ([0], [1])


def test_it_waits_for_every_worker_to_collect() -> None:
    scheduling = KolaScheduling(Config(), lambda ids, weights: [0])
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
    scheduling = KolaScheduling(Config(), lambda ids, weights: [])
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


def test_among_equals_the_heavier_starts_first() -> None:
    known = durations.Durations({}, {"a": 3.0, "b": 3.0, "c": 9.0})
    assert known.order(["a", "b", "new", "c"], {"b": 2048}) == [2, 3, 1, 0]


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


def test_when_nothing_will_be_granted_any_more_the_rest_is_dropped_with_the_reason() -> None:
    one, two = Worker(), Worker()
    needs = dict.fromkeys("abcd", Need(60))
    told = list[str]()
    scheduling, grants, _ = restricted(needs, one, two, give_up=told.append)
    assert (one.given, two.given) == ([0], [])
    grants.over = "no host is left: a: gone"
    scheduling.mark_test_complete(one, 0)
    assert (one.given, two.given) == ([0], [])
    assert scheduling.tests_finished
    assert told == ["no host is left: a: gone"]


def test_hosts_that_refuse_a_tests_machine_are_avoided() -> None:
    kinds = {"a": Kind(Need(10), avoid=("far",)), "b": Kind(Need(10))}
    grants, worker = Grants(100), Worker()
    scheduling = KolaScheduling(Config(), lambda ids, _: [0, 1], kinds=lambda: kinds, grants=grants)
    scheduling.add_node(worker)
    scheduling.add_node_collection(worker, ["a", "b"])
    scheduling.schedule()
    scheduling.mark_test_complete(worker, 0)
    assert grants.avoided == {"a": frozenset({"far"}), "b": frozenset()}

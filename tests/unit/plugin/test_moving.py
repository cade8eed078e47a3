"""A test whose host is lost or full has its second attempt on another one."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from fleets import GIB, StandInHost, fleet
from plan_samples import a_plan

from harness.platform import fleet as fleet_module
from kola.plugin import reservations as module
from kola.plugin.needs import refusing_hosts
from kola.plugin.reservations import Reservations
from kola.schedule.need import Need
from kola.schedule.resources import Resources

NEED = Need(1324, 1, machines=1)


def key(name: str) -> str:
    return f"qemu+tcp://{name}/system"


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(module, "_LOOK_AGAIN", 0.01)


@pytest.fixture
def hosts() -> dict[str, StandInHost]:
    return {"a": StandInHost(available=8 * GIB), "b": StandInHost(available=4 * GIB)}


@pytest.fixture
def ours(hosts: dict[str, StandInHost]) -> Iterator[Reservations]:
    made = Reservations(fleet(**hosts), scheduler=0)
    yield made
    made.close()


def test_the_host_that_the_scheduler_has_chosen_is_the_tests(
    hosts: dict[str, StandInHost], tmp_path: Path
) -> None:
    scheduler = Resources(fleet(**hosts), owner=os.getppid())
    assert scheduler.take("test", NEED, frozenset({key("a")})) is None
    worker = Reservations(fleet(**hosts), scheduler=os.getppid())
    with worker.reserve("test", NEED) as reservation:
        assert (reservation.refused, reservation.host) == ("", key("b"))
    worker.close()
    scheduler.close()


def test_after_the_loss_of_its_host_a_test_is_on_another(
    hosts: dict[str, StandInHost], ours: Reservations
) -> None:
    with ours.reserve("test", NEED) as reservation:
        assert reservation.host == key("a")
        hosts["a"].lost = "the daemon ended"
        reservation.move("host-lost")
        assert (reservation.refused, reservation.host) == ("", key("b"))


def test_hosts_that_refuse_its_machine_are_avoided_in_the_second_attempt_as_well(
    hosts: dict[str, StandInHost], ours: Reservations, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_MOVE_PATIENCE", 0.1)
    with ours.reserve("test", NEED, lambda: frozenset({key("b")})) as reservation:
        hosts["a"].lost = "the daemon ended"
        reservation.move("host-lost")
        assert (reservation.refused, reservation.cause) == ("no host for this test answers", "host-lost")


def test_with_no_host_left_the_second_attempt_fails_with_that_cause(
    hosts: dict[str, StandInHost], ours: Reservations
) -> None:
    with ours.reserve("test", NEED) as reservation:
        hosts["a"].lost = hosts["b"].lost = "gone"
        reservation.move("host-lost")
        assert reservation.refused == "no host is left: a: gone; b: gone"
        assert reservation.cause == "host-lost"


def test_the_same_host_will_do_when_it_is_back(
    hosts: dict[str, StandInHost], ours: Reservations, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fleet_module, "RETRY_SECONDS", 0.01)
    hosts["b"].available = 0
    with ours.reserve("test", NEED) as reservation:
        reservation.move("host-lost")  # its daemon was started anew meanwhile
        assert (reservation.refused, reservation.host) == ("", key("a"))


def test_a_full_host_is_left_for_one_with_room(hosts: dict[str, StandInHost], ours: Reservations) -> None:
    with ours.reserve("test", NEED) as reservation:
        hosts["a"].promised = 8 * GIB
        reservation.move("host-full")
        assert (reservation.refused, reservation.host) == ("", key("b"))


def test_a_test_without_machines_stays_where_it_is(ours: Reservations) -> None:
    with ours.reserve("test", Need()) as reservation:
        reservation.move("host-lost")
        assert (reservation.refused, reservation.host) == ("", None)


class Apart(StandInHost):
    def why_not_connect(self) -> str:
        return "no private network"


@pytest.mark.parametrize(
    ("fixtures", "expected"),
    [
        (("new_machine", "machine"), frozenset()),
        (("new_machine", "machines"), frozenset({key("a")})),
        (("tmp_path",), frozenset()),
    ],
)
def test_machines_on_one_network_avoid_hosts_without_one(
    fixtures: tuple[str, ...], expected: frozenset[str], tmp_path: Path
) -> None:
    item: Any = SimpleNamespace(
        fixturenames=fixtures, iter_markers=lambda name: [], location=("", 1, ""), path=Path("test.py")
    )
    pool = fleet(a=Apart(), b=StandInHost())
    assert refusing_hosts(item, a_plan(tmp_path), pool) == expected
    assert refusing_hosts(item, a_plan(tmp_path), fleet(a=Apart(), b=Apart())) == frozenset()

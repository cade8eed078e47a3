"""Placement: each need goes to the host with most room."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from fleets import GIB, StandInHost, fleet

from harness.platform.fleet import Fleet, Member
from harness.platform.hosts import HostEntry
from kola.schedule.need import Need
from kola.schedule.resources import Resources

MACHINE = Need(1324, 1, machines=1)


@pytest.fixture
def made(tmp_path: Path) -> Iterator[Any]:
    with ExitStack() as owned:

        def make(pool: Fleet) -> Resources:
            resources = Resources(pool, tmp_path / "reservations")
            owned.callback(resources.close)
            return resources

        yield make


def place(
    resources: Resources, *labels: str, need: Need = MACHINE, avoid: frozenset[str] = frozenset()
) -> str:
    """The hosts to which needs go, a letter each; `-` for a refusal."""
    found = ""
    for label in labels:
        refusal = resources.take(label, need, avoid)
        host = resources.host_of(label)
        found += "-" if refusal is not None or host is None else host.removeprefix("qemu+tcp://")[0]
    return found


def test_each_need_goes_to_the_host_with_most_room(made: Any) -> None:
    pool = made(fleet(a=StandInHost(available=3 * GIB), b=StandInHost(available=6 * GIB)))
    assert place(pool, "1", "2", "3", "4", "5", "6", "7") == "bbbaba-"
    pool.release("4")
    assert place(pool, "8") == "a"


def test_cpus_are_room_as_memory_is(made: Any) -> None:
    plenty = 100 * GIB
    pool = made(fleet(a=StandInHost(available=plenty, cpus=2), b=StandInHost(available=plenty, cpus=4)))
    assert place(pool, *map(str, range(25))) == "bbbbbbbb" + "ab" * 8 + "-"


def test_what_others_machines_are_promised_is_no_room_and_their_cpus_put_a_host_last(made: Any) -> None:
    a = StandInHost(available=64 * GIB, promised=63 * GIB)
    assert place(made(fleet(a=a, b=StandInHost())), "1") == "b"
    c = StandInHost(available=64 * GIB, busy=40)
    assert place(made(fleet(c=c, d=StandInHost(available=2 * GIB))), "1", "2") == "dc"


def test_daemons_of_one_machine_share_its_memory(made: Any) -> None:
    pool = made(fleet(a=StandInHost(place="p"), b=StandInHost(place="p")))
    assert place(pool, "1", "2", "3") == "ab-"


def test_the_file_of_hosts_sets_limits(made: Any) -> None:
    hosts: list[Any] = [StandInHost(available=64 * GIB, place="a"), StandInHost(place="b")]
    entries = [HostEntry("qemu+tcp://a/", "a", machines=2), HostEntry("qemu+tcp://b/", "b", memory=1400)]
    pool = made(Fleet([Member(entry, host) for entry, host in zip(entries, hosts, strict=True)]))
    assert place(pool, "1", "2", "3", "4") == "aab-"
    refusal = pool.take("5", MACHINE)
    assert refusal is not None
    assert refusal.reason == (
        "a: 2 of at most 2 machines run; b: 1324 MiB of memory are needed, 76 MiB are free"
    )
    assert "no host has more than 4096 MiB" in pool.never(Need(99_999))


def test_a_lost_host_gets_nothing_and_those_to_be_avoided_neither(made: Any) -> None:
    a, b = StandInHost(available=64 * GIB, total=64 * GIB), StandInHost()
    pool = made(fleet(a=a, b=b))
    assert place(pool, "1", avoid=frozenset({"qemu+tcp://a/system"})) == "b"
    a.lost = "gone"
    assert place(pool, "2", "3") == "b-"
    b.lost = "gone, too"
    assert place(pool, "4") == "-"


def test_grants_of_other_runs_count_by_host(made: Any, tmp_path: Path) -> None:
    """Two runs of one user reserve in the same place, each under its own process."""
    first = made(fleet(a=StandInHost(), b=StandInHost()))
    second = Resources(fleet(a=StandInHost()), tmp_path / "reservations", owner=os.getppid())
    assert place(first, "1", "2", "3") == "aba"
    refusal = second.take("mine", MACHINE)
    assert refusal is not None and "MiB are free" in refusal.reason
    second.close()

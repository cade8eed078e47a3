"""Promises between processes: what is granted, what is not, and what becomes of a holder's."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from fleets import StandInHost, fleet_of

from harness.machine.boot import DiskImage
from harness.machine.spec import MachineSpec
from kola.schedule import waiting as gate_module
from kola.schedule.need import OVERHEAD_MIB, Need
from kola.schedule.resources import Resources
from kola.schedule.waiting import WaitingList

MIB = 1024 * 1024
GIB = 1024 * MIB

HOLDER = """
import sys, time
from pathlib import Path
from fleets import StandInHost, fleet_of
from kola.schedule.need import Need
from kola.schedule.resources import Resources
held = Resources(fleet_of(StandInHost()), Path(sys.argv[1]))
refusal = held.take("theirs", Need(1024, 1, frozenset({"port 8080"})))
print("refused" if refusal else "held", flush=True)
time.sleep(60)
"""


@pytest.fixture
def host() -> StandInHost:
    return StandInHost()


@pytest.fixture
def ours(tmp_path: Path, host: StandInHost) -> Iterator[Resources]:
    made = Resources(fleet_of(host), tmp_path / "reservations")
    yield made
    made.close()
    assert not list((tmp_path / "reservations").glob(f"{os.getpid()}-*"))


@pytest.fixture
def theirs(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that holds 1024 MiB and port 8080."""
    argv = [sys.executable, "-c", HOLDER, str(tmp_path / "reservations")]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    process = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True, env=environment)
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.communicate()


def test_memory_is_promised_once_only(ours: Resources) -> None:
    assert ours.take("one", Need(2000)) is None
    refusal = ours.take("two", Need(2000))
    assert refusal is not None
    assert refusal.reason == "2000 MiB of memory are needed, 1072 MiB are free"
    ours.release("one")
    assert ours.take("two", Need(2000)) is None


def test_what_machines_have_taken_already_is_not_counted_twice(
    ours: Resources, host: StandInHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kola.schedule.room._SAMPLE_SECONDS", 0)
    assert ours.take("one", Need(2000)) is None
    host.resident[os.getpid()] = 1500 * MIB
    host.available -= 1500 * MIB
    assert ours.take("two", Need(1072)) is None
    assert ours.take("three", Need(1)) is not None


def test_two_processes_never_get_the_same_memory(ours: Resources, theirs: subprocess.Popen[str]) -> None:
    assert ours.take("one", Need(2049)) is not None
    assert ours.take("one", Need(2048)) is None


def test_a_name_has_one_holder_and_a_refusal_names_it(ours: Resources, theirs: subprocess.Popen[str]) -> None:
    refusal = ours.take("mine", Need(names=frozenset({"port 8080", "port 1"})))
    assert refusal is not None
    assert refusal.reason == f"port 8080 is taken by theirs of process {theirs.pid}"
    assert ours.take("mine", Need(names=frozenset({"port 1"}))) is None
    second = ours.take("another", Need(names=frozenset({"port 1"})))
    assert second is not None and second.reason == "port 1 is taken by mine"


def test_what_a_killed_holder_had_is_free_at_once(ours: Resources, theirs: subprocess.Popen[str]) -> None:
    need = Need(3000, 1, frozenset({"port 8080"}))
    assert ours.take("mine", need) is not None
    theirs.send_signal(signal.SIGKILL)
    theirs.wait()
    assert ours.take("mine", need) is None


def test_a_worker_sees_what_its_scheduler_was_promised(
    tmp_path: Path, host: StandInHost, ours: Resources
) -> None:
    worker = Resources(fleet_of(host), tmp_path / "reservations", owner=os.getpid())
    need = Need(2000)
    assert ours.take("test", need) is None
    assert worker.host_of("test") == ""
    assert worker.host_of("another") is None


def test_virtual_cpus_are_shared_out_but_a_large_machine_can_be_had_alone(ours: Resources) -> None:
    assert ours.take("huge", Need(cpus=1000)) is None
    refusal = ours.take("small", Need(cpus=1))
    assert refusal is not None and refusal.reason == "8 of 8 virtual CPUs are taken"
    ours.release("huge")
    assert ours.take("small", Need(cpus=1)) is None
    assert ours.take("huge", Need(cpus=1000)) is not None


def test_what_the_host_does_not_have_is_never_to_be_had(ours: Resources) -> None:
    assert ours.never(Need(4096)) == ""
    assert ours.never(Need(4097)) == "the test needs 4097 MiB of memory, this host has 4096 MiB"


def test_the_user_may_allow_less(tmp_path: Path, host: StandInHost, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KOLA_MEMORY", "2G")
    ours = Resources(fleet_of(host), tmp_path / "reservations")
    assert "KOLA_MEMORY allows 2048 MiB" in ours.never(Need(2049))
    assert ours.take("one", Need(1500)) is None
    assert ours.take("two", Need(1500)) is not None
    ours.close()


def test_several_machines_count_several_times() -> None:
    spec = MachineSpec(DiskImage(Path("i")), memory_mib=1000, cpus=2)
    need = Need.of(spec, 3, ports=[80], tokens=["registry"])
    assert need == Need(3 * (1000 + OVERHEAD_MIB), 6, frozenset({"port 80", "registry"}), 3)
    assert need.beyond(Need.of(spec)) == Need(
        2 * (1000 + OVERHEAD_MIB), 4, frozenset({"port 80", "registry"}), 2
    )
    assert Need.from_row(need.to_row()) == need


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_memory_that_strangers_hold_is_waited_for_a_minute(ours: Resources) -> None:
    clock, told = Clock(), list[str]()
    waiting = WaitingList(ours, clock=clock, tell=told.append)
    need = Need(3500)
    assert waiting.request("t", need) is None
    clock.now = gate_module.PATIENCE / 2
    assert waiting.request("t", need) is None
    assert waiting.request("t", need) is None
    assert told == ["waiting: 3500 MiB of memory are needed, 3072 MiB are free"]
    clock.now = gate_module.PATIENCE + 1
    assert "3072 MiB are free, and nothing has changed for 61 s" in str(waiting.request("t", need))


def test_what_tests_hold_is_waited_for_as_long_as_something_happens(ours: Resources) -> None:
    clock = Clock()
    waiting = WaitingList(ours, clock=clock)
    need = Need(names=frozenset({"registry"}))
    assert waiting.request("first", need) == ""
    for round_number in range(3):
        assert waiting.request("second", need) is None
        clock.now += gate_module.HELD_PATIENCE - 1
        assert waiting.request("second", need) is None
        assert waiting.request(f"other {round_number}", Need(1)) == ""
    clock.now += gate_module.HELD_PATIENCE + 1
    assert waiting.request("second", need) is None, "the last of the others had begun since"
    clock.now += gate_module.HELD_PATIENCE + 1
    assert "registry is taken by first" in str(waiting.request("second", need))


def test_what_can_never_be_is_said_at_once(ours: Resources) -> None:
    assert "this host has 4096 MiB" in str(WaitingList(ours).request("t", Need(9999)))

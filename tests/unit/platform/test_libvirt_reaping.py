"""The removal of what dead runs left, beside runs that live. Stand-ins for libvirt: it is not needed here."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from xml.etree import ElementTree

import pytest

from harness.platform.libvirt import owners
from harness.platform.libvirt.owners import Owner, end, reap, this_process


class Gone(Exception):
    """libvirt's error for a domain that has ended meanwhile."""


LIBRARY = SimpleNamespace(libvirtError=Gone)


class Domain:
    def __init__(self, name: str, owner: Owner, *, there: bool = True) -> None:
        self._name, self._owner, self._there = name, owner, there
        self.destroyed = False

    def name(self) -> str:
        return self._name

    def isPersistent(self) -> bool:  # libvirt's name
        return self._answer(answer=False)

    def metadata(self, *_: object) -> str:
        self._answer(answer=True)
        return ElementTree.tostring(self._owner.element(), encoding="unicode")

    def destroy(self) -> None:
        self.destroyed = True

    def _answer(self, *, answer: bool) -> bool:
        if not self._there:
            raise Gone
        return answer


def connected(*domains: Domain) -> SimpleNamespace:
    return SimpleNamespace(listAllDomains=lambda: list(domains))


@pytest.fixture(autouse=True)
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("KOLA_SCRATCH", str(tmp_path))
    monkeypatch.setattr(owners, "sockets_directory", lambda: tmp_path)
    return tmp_path


@pytest.fixture
def dead() -> Owner:
    """An owner whose process id belongs to another process by now."""
    return replace(this_process(), started=1)


def test_only_what_a_dead_owner_left_is_destroyed(dead: Owner) -> None:
    left, living = Domain("kola-1-01", dead), Domain("kola-2-01", this_process())
    assert reap(connected(left, living), LIBRARY) == ["kola-1-01"]
    assert (left.destroyed, living.destroyed) == (True, False)


class Ended(Exception):
    """libvirt's error for a domain that is not there, or for a connection that was lost (domain 7)."""

    def __init__(self, domain: int) -> None:
        super().__init__("an error")
        self._domain = domain

    def get_error_domain(self) -> int:
        return self._domain

    def get_error_code(self) -> int:
        return 38


def test_what_a_lost_connection_left_is_ended_and_nothing_else() -> None:
    left, other = Domain("kola-1-01", this_process()), Domain("kola-1-02", this_process())
    there = {"left": left, "other": other}

    def find(uuid: str) -> Domain:
        if uuid not in there:
            raise Ended(10)
        return there[uuid]

    library = SimpleNamespace(libvirtError=Ended)
    end(SimpleNamespace(lookupByUUIDString=find), library, ["ended", "left"])
    assert (left.destroyed, other.destroyed) == (True, False)


def test_a_connection_that_is_lost_as_well_is_said() -> None:
    def fail(_: str) -> None:
        raise Ended(7)

    with pytest.raises(Ended):
        end(SimpleNamespace(lookupByUUIDString=fail), SimpleNamespace(libvirtError=Ended), ["left"])


def test_a_machine_of_another_run_may_end_while_it_is_looked_at(dead: Owner) -> None:
    left = Domain("kola-1-01", dead)
    assert reap(connected(Domain("kola-2-01", this_process(), there=False), left), LIBRARY) == ["kola-1-01"]


def test_directories_of_dead_owners_go(places: Path, dead: Owner) -> None:
    for owner in (dead, this_process()):
        (places / f"{owner.token}x").mkdir()
    reap(connected(), LIBRARY)
    assert [path.name for path in places.iterdir()] == [f"{this_process().token}x"]


def test_two_processes_may_reap_at_once(places: Path, dead: Owner, monkeypatch: pytest.MonkeyPatch) -> None:
    (places / f"{dead.token}x").mkdir()
    judged = owners.abandoned

    def slowly(name: str) -> bool:
        os.rmdir(places / name)  # noqa: PTH106  # by the other one
        return judged(name)

    monkeypatch.setattr(owners, "abandoned", slowly)
    assert reap(connected(), LIBRARY) == []


def test_processes_of_another_container_are_not_judged(
    places: Path, dead: Owner, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Containers may share a daemon, and hosts a home: a process that is not seen here may live there."""
    (places / f"{dead.token}x").mkdir()
    theirs = Domain("kola-1-01", dead)
    monkeypatch.setattr(owners, "_namespace", lambda: "pid:[1]")
    assert reap(connected(theirs), LIBRARY) == []
    assert not theirs.destroyed
    assert list(places.iterdir())

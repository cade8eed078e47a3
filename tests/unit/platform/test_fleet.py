"""Which hosts of a pool can be used, and what becomes of those that are lost."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from fleets import StandInHost, fleet, fleet_of

from harness.errors import ConfigError, InfrastructureError
from harness.machine.boot import DiskImage
from harness.platform import fleet as module
from harness.platform.base import Missing
from harness.platform.choose import require_hosts
from harness.platform.fleet import RETRY_SECONDS, Fleet


def settle() -> None:
    """Wait for the attempts to reach lost hosts."""
    for thread in threading.enumerate():
        if thread.name.startswith("looking for"):
            thread.join(5)


def names(pool: Fleet) -> list[str]:
    return [member.name for member in pool.usable()]


def test_a_host_that_is_lost_is_left_out_and_used_again_when_it_is_back() -> None:
    a, b = StandInHost(), StandInHost()
    pool = fleet(a=a, b=b)
    told, now = list[str](), 0.0
    pool._tell, pool._clock = told.append, lambda: now
    assert names(pool) == ["a", "b"]
    a.lost = "the daemon ended"
    assert names(pool) == ["b"]
    assert pool.over == ""
    settle()
    a.lost, now = "", RETRY_SECONDS
    pool.usable()
    settle()
    assert names(pool) == ["a", "b"]
    assert told == ["host a is lost: the daemon ended", "host a is back"]


def test_with_no_host_left_it_is_over_once_each_was_looked_for_in_vain() -> None:
    a, b = StandInHost(lost="gone"), StandInHost(lost="no answer")
    pool = fleet(a=a, b=b)
    assert names(pool) == []
    assert pool.over == "" or "no host is left" in pool.over
    settle()
    assert pool.over == "no host is left: a: gone; b: no answer"


def test_a_lost_host_is_not_looked_for_all_the_time(monkeypatch: pytest.MonkeyPatch) -> None:
    now, tries = 0.0, list[float]()
    a = StandInHost(lost="gone")
    monkeypatch.setattr(a, "reconnect", lambda: (tries.append(now), a._answer()))
    pool = fleet(a=a, b=StandInHost())
    pool._clock = lambda: now
    for _ in range(20):
        pool.usable()
        settle()
        now += 1
    assert tries == [0.0, 5.0, 10.0, 15.0]


def test_an_attempt_that_takes_long_counts_as_failed(monkeypatch: pytest.MonkeyPatch) -> None:
    now, answer = 0.0, threading.Event()
    a = StandInHost(lost="gone")
    monkeypatch.setattr(a, "reconnect", answer.wait)
    pool = fleet(a=a)
    pool._clock = lambda: now
    assert pool.over == ""
    now = module._LONGEST_TRY + 1
    assert pool.over == "the machines' host is lost: gone"
    answer.set()
    settle()


def eventually(state: Callable[[], bool]) -> bool:
    limit = time.monotonic() + 30
    while not state() and time.monotonic() < limit:
        time.sleep(0.005)
    return state()


def test_a_fleet_that_is_watched_notices_while_nobody_asks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_WATCH_SECONDS", 0.01)
    monkeypatch.setattr(module, "RETRY_SECONDS", 0.01)
    a, told, before = StandInHost(), list[str](), set(threading.enumerate())
    pool = fleet(a=a, b=StandInHost())
    pool._tell = told.append
    pool.watch()
    (watcher,) = set(threading.enumerate()) - before
    a.lost = "silent"
    assert eventually(lambda: told == ["host a is lost: silent"])
    a.lost = ""
    assert eventually(lambda: told[1:] == ["host a is back"])
    pool.close()
    watcher.join(30)
    assert not watcher.is_alive()


def test_the_host_of_the_platform_qemu_is_not_watched() -> None:
    before = set(threading.enumerate())
    fleet_of(StandInHost()).watch()
    assert set(threading.enumerate()) <= before


class Checked(StandInHost):
    missing: tuple[Missing, ...] = ()

    def check_host(self) -> list[Missing]:
        return list(self.missing)


class Taking(StandInHost):
    refuses_image: str = ""

    def prepare(self, image: DiskImage, tell: Callable[[str], None]) -> None:
        if self.refuses_image:
            raise InfrastructureError(self.refuses_image, cause="libvirt-refused")


def test_a_host_that_does_not_take_the_image_is_named_and_the_run_goes_on() -> None:
    a, b, told = Taking(), Taking(), list[str]()
    pool, image = fleet(a=a, b=b), DiskImage(Path("/image"))
    assert len(pool.prepare(image, told.append)) == 2
    a.refuses_image = "no space left"
    assert [member.name for member in pool.prepare(image, told.append)] == ["b"]
    assert told == ["host a: no space left; the run goes on without it"]
    b.refuses_image = "no space left there"
    with pytest.raises(InfrastructureError, match="no space left"):
        pool.prepare(image, told.append)


def test_hosts_that_cannot_be_used_are_named_and_the_run_goes_on() -> None:
    a, b = Checked(), Checked()
    a.missing = (Missing("libvirt daemon at x", "start it"),)
    b.missing = (Missing("swtpm", "install it", essential=False),)
    told = list[str]()
    usable, lacking = require_hosts(fleet(a=a, b=b), told.append)
    assert [member.name for member in usable] == ["b"]
    assert lacking == {"swtpm"}
    assert told == ["host a has no libvirt daemon at x: start it; the run goes on without it"]


def test_a_pool_without_a_host_that_can_be_used_is_an_error() -> None:
    a, b = Checked(), Checked()
    a.missing = b.missing = (Missing("libvirt daemon", "start it"),)
    with pytest.raises(ConfigError, match="no host of the pool can be used: a has no libvirt daemon"):
        require_hosts(fleet(a=a, b=b), lambda text: None)

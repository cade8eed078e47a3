"""The room of a host, from what libvirt reports. A stand-in for libvirt: it is not needed here."""

from __future__ import annotations

import os
import sys
from types import SimpleNamespace
from typing import Any
from xml.etree import ElementTree

import pytest

from harness.platform.base import Capacity
from harness.platform.libvirt import room
from harness.platform.libvirt.owners import Owner, this_process

MIB_IN_KIB = 1024


@pytest.fixture(autouse=True)
def library(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("libvirt", "libvirt_qemu"):
        monkeypatch.setitem(sys.modules, name, SimpleNamespace(libvirtError=RuntimeError))


def domain(owner: Owner | None, **mib: int) -> tuple[Any, dict[str, int]]:
    """A running domain of `most` MiB, of which it has `rss`."""
    most, rss, cpus, number = (mib.get(key, 1) for key in ("most", "rss", "cpus", "number"))

    def metadata(*_: object) -> str:
        if owner is None:
            raise RuntimeError("metadata not found")
        return ElementTree.tostring(owner.element(), encoding="unicode")

    stats = {"balloon.maximum": most * MIB_IN_KIB, "balloon.rss": rss * MIB_IN_KIB, "vcpu.current": cpus}
    return SimpleNamespace(metadata=metadata, ID=lambda: number), stats


def daemon(*domains: tuple[Any, dict[str, int]]) -> Any:
    memory = {"total": 4000 * MIB_IN_KIB, "free": 1000 * MIB_IN_KIB, "buffers": 50 * MIB_IN_KIB}
    return SimpleNamespace(
        getMemoryStats=lambda *_: memory | {"cached": 950 * MIB_IN_KIB},
        getInfo=lambda: ["x86_64", 0, 8, 0, 0, 0, 0, 0],
        getAllDomainStats=lambda *_: list(domains),
    )


def test_caches_can_be_had_and_untouched_memory_of_machines_is_promised() -> None:
    us, elsewhere = this_process(), Owner("x", "another host", 0, 1, 1)
    handle = daemon(
        domain(us, most=1024, rss=300, cpus=2),
        domain(elsewhere, most=2048, rss=48, cpus=4),
        domain(None, most=512, rss=700),
    )
    mib = 1 << 20
    assert room.capacity(handle) == Capacity(4000 * mib, 2000 * mib, 8, 2724 * mib, 5)


def test_machines_count_for_the_process_that_started_them() -> None:
    us, elsewhere = this_process(), Owner("x", "another host", os.geteuid(), os.getpid(), 1)
    handle = daemon(domain(us, most=1024, rss=300), domain(elsewhere, most=2048, rss=48))
    mine, parents = room.counted_for(handle, [os.getpid(), os.getppid()]).values()
    assert mine == parents == (1024 << 20) + room.OVERHEAD


def test_of_two_that_started_at_once_the_first_has_the_room() -> None:
    handle = daemon(
        domain(this_process(), most=1024, rss=24, number=7),
        domain(Owner("x", "another host", 0, 1, 1), most=1024, rss=0, number=8),
    )
    assert room.fits(handle, 7)
    assert not room.fits(handle, 8)

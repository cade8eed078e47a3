"""Starts of domains that fail at some step, and leave nothing. A stand-in for libvirt: it is not needed."""

from __future__ import annotations

import errno
import os
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from harness.errors import InfrastructureError
from harness.machine.boot import EmptyDisk
from harness.machine.channels import CONSOLE
from harness.machine.spec import MachineSpec
from harness.platform.hosts import HostEntry
from harness.platform.libvirt.domain import Labels
from harness.platform.libvirt.files import Fresh
from harness.platform.libvirt.host import LibvirtHost
from harness.platform.libvirt.instance import LibvirtInstance
from harness.platform.parts.accel import Accelerator
from harness.platform.parts.given import NOTHING
from harness.util.deadline import Deadline

SPEC = MachineSpec(EmptyDisk(1), network=False, swtpm=False, channels=(CONSOLE,))


class LibvirtError(Exception):
    def get_error_domain(self) -> int:
        return 10

    def get_error_code(self) -> int:
        return 1


class Daemon:
    """A daemon that fails at one step, with the machine that it has made."""

    def __init__(self, failing: str, error: type[BaseException]) -> None:
        self._failing, self._error = failing, error
        self.running = False
        self.lost = ""
        self.free = 1024
        self.handle = self
        self._hear_the_end: Callable[[], None] = lambda: None

    def _step(self, name: str) -> None:
        if name == self._failing:
            raise self._error(name)

    def watch(self, uuid: str, events: object) -> Callable[[], None]:
        return lambda: None

    def createXML(self, xml: str, flags: int) -> Daemon:
        self._step("before its start")
        self.running = True
        self._step("after its start")
        return self

    def ID(self) -> int:
        return 1

    def getMemoryStats(self, cell: int, flags: int) -> dict[str, int]:
        self._step("getMemoryStats")
        return {"free": self.free}

    def getAllDomainStats(self, stats: int, flags: int) -> list[tuple[Daemon, dict[str, int]]]:
        return [(self, {"balloon.maximum": 1024})]

    def metadata(self, *_: object) -> str:
        raise LibvirtError("no metadata")

    def lookupByUUIDString(self, uuid: str) -> Daemon:
        if not self.running:
            raise LibvirtError(uuid)
        return self

    def destroy(self) -> None:
        self.running = False
        self._hear_the_end()

    def newStream(self, flags: int) -> Daemon:
        self._step("newStream")
        return self

    def openConsole(self, name: str, stream: object, flags: int) -> None:
        self._step("openConsole")

    def eventAddCallback(self, events: int, callback: Callable[..., None], _: object) -> None:
        self._hear_the_end = lambda: callback(self, 8, None)
        self._step("eventAddCallback")

    def recv(self, size: int) -> bytes:
        return b""

    def eventRemoveCallback(self) -> None:
        pass

    def abort(self) -> None:
        pass

    def resume(self) -> None:
        self._step("resume")


@pytest.fixture(autouse=True)
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("libvirt", "libvirt_qemu"):
        monkeypatch.setitem(sys.modules, name, SimpleNamespace(libvirtError=LibvirtError))
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setenv("KOLA_SCRATCH", str(scratch))
    monkeypatch.setattr("harness.platform.libvirt.files.sockets_directory", lambda: scratch)
    return scratch


def start(daemon: Daemon, directory: Path, monkeypatch: pytest.MonkeyPatch) -> LibvirtInstance:
    host: Any = LibvirtHost(HostEntry("qemu:///session"))
    monkeypatch.setattr(host, "connection", lambda: daemon)
    host.labels = Labels()
    host.proof = SimpleNamespace(accelerator=Accelerator("tcg", "qemu64", 1.0))
    return LibvirtInstance(SPEC, NOTHING, Fresh(), directory=directory, host=host, deadline=Deadline(30))


STEPS = (
    *("before its start", "after its start", "getMemoryStats", "newStream"),
    *("openConsole", "eventAddCallback", "resume"),
)


@pytest.mark.parametrize("error", [LibvirtError, KeyboardInterrupt])
@pytest.mark.parametrize("failing", STEPS)
def test_a_start_that_fails_leaves_nothing(
    failing: str,
    error: type[BaseException],
    places: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    daemon, before = Daemon(failing, error), set(threading.enumerate())
    with pytest.raises(InfrastructureError if error is LibvirtError else error):
        start(daemon, tmp_path / "machine", monkeypatch)
    assert not daemon.running
    assert list(places.iterdir()) == []
    for thread in set(threading.enumerate()) - before:
        thread.join(5)
    assert set(threading.enumerate()) <= before


@pytest.mark.parametrize(("number", "cause"), [(errno.ENOSPC, "host-disk-full"), (errno.EROFS, "no-scratch")])
def test_files_that_cannot_be_made_are_this_hosts_failure(
    number: int, cause: str, places: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> int:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr("harness.platform.parts.disks.create_empty", fail)
    with pytest.raises(InfrastructureError, match="files of a machine") as error:
        start(Daemon("", LibvirtError), tmp_path / "machine", monkeypatch)
    assert error.value.cause == cause
    assert list(places.iterdir()) == []


def test_a_start_that_succeeds_leaves_nothing_at_its_end(
    places: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    daemon = Daemon("", LibvirtError)
    machine = start(daemon, tmp_path / "machine", monkeypatch)
    assert daemon.running
    assert list(places.iterdir()) == []
    machine.close()
    assert not daemon.running


def test_a_machine_for_which_others_leave_no_memory_ends_before_its_guest_runs(
    places: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    daemon = Daemon("resume", AssertionError)
    daemon.free = 1023
    with pytest.raises(InfrastructureError, match="no memory is left") as error:
        start(daemon, tmp_path / "machine", monkeypatch)
    assert error.value.cause == "host-full"
    assert not daemon.running
    assert list(places.iterdir()) == []

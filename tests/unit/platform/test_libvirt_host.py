"""The daemon as a host of machines. Stand-ins for libvirt: it is not needed here."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from harness.errors import InfrastructureError
from harness.platform.hosts import HostEntry
from harness.platform.libvirt import host, proof
from harness.platform.libvirt.domain import Labels
from harness.platform.libvirt.owners import this_process
from harness.platform.libvirt.platform import LibvirtPlatform
from harness.platform.parts.accel import Accelerator
from harness.util.host import held_memory

CAPABILITIES = (
    "<capabilities><guest><arch name='x86_64'><emulator>/usr/bin/qemu-system-x86_64</emulator></arch></guest>"
    "</capabilities>"
)


def daemon(version: int) -> SimpleNamespace:
    return SimpleNamespace(
        getCapabilities=lambda: CAPABILITIES, getLibVersion=lambda: version, getVersion=lambda: 7_002_000
    )


@pytest.fixture(autouse=True)
def library(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("libvirt", "libvirt_qemu"):
        monkeypatch.setitem(sys.modules, name, SimpleNamespace(libvirtError=RuntimeError))


@pytest.mark.parametrize(
    ("version", "lacks"), [(6_002_000, ["libvirt 9.0.0"]), (9_000_000, []), (12_008_000, [])]
)
def test_a_daemon_that_is_too_old_is_missing(
    version: int, lacks: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(host, "reap", lambda *_: [])
    monkeypatch.setattr(host, "connect", lambda uri: SimpleNamespace(handle=daemon(version), left=()))
    missing = LibvirtPlatform().check_host()
    found = {one.name: one.hint for one in missing if one.name.startswith("libvirt")}
    assert list(found) == lacks
    assert all("6.2.0" in hint for hint in found.values())


@pytest.mark.parametrize(
    ("said", "hint"),
    [
        ("Failed to connect socket to '/run/libvirt/libvirt-sock': No such file or directory", "apt-get"),
        ("Failed to connect socket to '/run/libvirt/libvirt-sock': Permission denied", "group libvirt"),
        ("authentication unavailable: no polkit agent available", "group libvirt"),
    ],
)
def test_a_daemon_that_lets_nobody_in_need_not_be_installed(
    said: str, hint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(uri: str) -> None:
        raise InfrastructureError(f"no libvirt daemon at {uri}: {said}", cause="host-lost")

    monkeypatch.setattr(host, "connect", refuse)
    (missing,) = [one for one in LibvirtPlatform().check_host() if one.name.startswith("libvirt")]
    assert hint in missing.hint
    assert said in missing.hint


def test_a_host_that_is_back_is_cleared_of_what_was_there_before(monkeypatch: pytest.MonkeyPatch) -> None:
    """A daemon that was killed has forgotten autodestroy, and an upload may have been interrupted."""
    done = list[Any]()
    monkeypatch.setattr(host, "reap", lambda *_: [])
    monkeypatch.setattr(host, "end", lambda handle, _, left: done.append((handle, left)))
    monkeypatch.setattr(host, "far", SimpleNamespace(reap=lambda *_: None))
    opened: list[Any] = [
        SimpleNamespace(handle=daemon(9_000_000), left=left) for left in (("a", "b"), ("c",), ())
    ]
    monkeypatch.setattr(host, "connect", lambda uri: opened[0])

    class Files:
        def __init__(self, handle: object, *_: object) -> None:
            self.handle = handle

        def finish(self, earlier: Files, prefix: str) -> None:
            assert prefix == this_process().token
            done.append((self.handle, earlier.handle))

        def reap(self) -> None:
            pass

    monkeypatch.setattr(host, "Store", Files)
    platform = LibvirtPlatform(entry=HostEntry("qemu+tcp://far/system"))
    handles = [connection.handle for connection in opened]
    platform.reconnect()
    platform.reconnect()
    assert done == [(handles[0], ())]
    opened.pop(0)
    platform.reconnect()
    platform.reconnect()
    assert done[1:] == [(handles[1], ("a", "b")), (handles[1], handles[0])]
    opened.pop(0)
    platform.reconnect()
    assert done[3:] == [(handles[2], ("c",)), (handles[2], handles[1])]


def test_the_memory_of_a_run_on_qemu_beside_this_one_is_not_counted_twice(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its machines are below it. What they hold is no longer available, and no longer promised."""
    handle = SimpleNamespace(getAllDomainStats=lambda *_: [])
    monkeypatch.setattr(host, "reap", lambda *_: [])
    monkeypatch.setattr(host, "connect", lambda uri: SimpleNamespace(handle=handle, left=()))
    words = [sys.executable, "-c", "print(flush=True); input()"]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as qemu:
        assert qemu.stdout is not None
        qemu.stdout.readline()
        held = LibvirtPlatform().resident_memory([os.getpid()])[os.getpid()]
        assert held >= held_memory(qemu.pid) > 0
        qemu.kill()


def test_a_daemon_that_was_started_anew_is_asked_anew_whether_qemu_may_spawn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An administrator who has switched the sandbox off starts the daemon again."""
    pid = tmp_path / "libvirt/qemu/run/driver.pid"
    pid.parent.mkdir(parents=True)
    pid.write_text("1")
    for name, value in {
        "XDG_CACHE_HOME": str(tmp_path),
        "XDG_RUNTIME_DIR": str(tmp_path),
        "KOLA_DEADLINE_SCALE": "2",
    }.items():
        monkeypatch.setenv(name, value)
    answers = iter([False, True])
    monkeypatch.setattr(proof, "_run", lambda *_, **__: (1.0, next(answers)))
    connection: Any = SimpleNamespace(handle=daemon(9_000_000), uri="qemu:///session")
    found = [proof.prove(connection, Labels(), this_process()).may_spawn for _ in range(2)]
    os.utime(pid, (1, 1))
    found.append(proof.prove(connection, Labels(), this_process()).may_spawn)
    assert found == [False, False, True]


def test_a_user_who_is_let_in_to_kvm_has_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A system daemon starts QEMU as this user, who has to join the group kvm."""
    allowed = False

    def run(_: object, accelerator: Accelerator, *__: object, **___: object) -> tuple[float, bool]:
        if accelerator.name == "kvm" and not allowed:
            raise InfrastructureError("Could not access KVM kernel module", cause="no-accelerator")
        return 1.0, False

    offered = CAPABILITIES.replace("</arch>", "<domain type='kvm'/></arch>")
    handle = daemon(9_000_000)
    handle.getCapabilities = lambda: offered
    connection: Any = SimpleNamespace(handle=handle, uri="qemu:///system")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("KOLA_DEADLINE_SCALE", "2")
    monkeypatch.setattr(proof, "_run", run)
    monkeypatch.setattr(proof, "forbidden", lambda: False)
    monkeypatch.setattr(os, "access", lambda *_: allowed)
    assert proof.prove(connection, Labels(), this_process()).accelerator.name == "tcg"
    allowed = True
    assert proof.prove(connection, Labels(), this_process()).accelerator.name == "kvm"


class Refusal(Exception):
    def __init__(self, domain: int) -> None:
        super().__init__("Cannot recv data: Connection reset by peer")
        self._domain = domain

    def get_error_domain(self) -> int:
        return self._domain

    def get_error_code(self) -> int:
        return 38


@pytest.mark.parametrize(("domain", "cause"), [(7, "host-lost"), (10, "no-accelerator")])
def test_a_daemon_that_dies_during_its_proof_lacks_no_accelerator(
    domain: int, cause: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "libvirt", SimpleNamespace(libvirtError=Refusal))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))

    def refuse(*_: object) -> None:
        raise Refusal(domain)

    handle = daemon(9_000_000)
    handle.createXML = refuse
    connection: Any = SimpleNamespace(handle=handle, uri="qemu:///session")
    with pytest.raises(InfrastructureError) as error:
        proof.prove(connection, Labels(), this_process())
    assert error.value.cause == cause
    assert list((tmp_path / "kola/scratch").iterdir()) == []

"""Unlocking, hotfixes, remotes, verification, and what stays read-only."""

from __future__ import annotations

import pytest

from harness.artifact import Distro
from harness.machine.machine import Machine
from testsuites.second_boot import BEFORE, UNLOCKED, rebooted
from testsuites.support import mount_options

pytestmark = pytest.mark.kola(tags=["ostree"])

PROBE = "/usr/share/kola-probe"


def status(machine: Machine) -> str:
    return machine.run("ostree admin status", sudo=True).check().stdout


@pytest.mark.kola(name="ostree.unlock", guide="9.1#read-only")
def test_unlock(machine: Machine) -> None:
    """An unlocked system takes changes below /usr."""
    machine.run("ostree admin unlock", sudo=True).check()
    found = status(machine)
    assert "Unlocked: development" in found, f"the system is not unlocked: {found}"
    machine.file(PROBE).write("for now\n")
    assert machine.file(PROBE).text == "for now\n"


@pytest.mark.kola(name="ostree.unlock.until-reboot", guide="9.1#read-only")
@pytest.mark.machine(prepare=rebooted)
def test_a_reboot_locks(machine: Machine) -> None:
    """A system that was unlocked is not after a reboot, and has forgotten the changes."""
    assert "unlocked" in machine.file(BEFORE).text.split(), "it was not unlocked before the reboot"
    assert not machine.file(UNLOCKED).exists, f"{UNLOCKED} is there after a reboot"
    found = status(machine)
    assert "Unlocked" not in found, f"the system is still unlocked: {found}"
    assert not machine.run(["touch", PROBE], sudo=True).ok, f"{PROBE} can be written after a reboot"


@pytest.mark.kola(name="ostree.hotfix")
def test_hotfix(machine: Machine) -> None:
    """A hotfix is there after a reboot, in a deployment of its own beside the one it began with."""
    before = status(machine).count("origin")
    machine.run("ostree admin unlock --hotfix", sudo=True).check()
    machine.file(PROBE).write("for good\n")
    machine.reboot()
    assert machine.file(PROBE).text == "for good\n"
    found = status(machine)
    assert "Unlocked: hotfix" in found, f"no deployment is a hotfix: {found}"
    deployed = found.count("origin")
    assert deployed == before + 1, f"{deployed} deployments are there, not {before + 1}"
    entries = machine.run("ls /boot/loader/entries", sudo=True).check().lines
    assert len(entries) == before + 1, f"{len(entries)} boot entries are there, not {before + 1}"


@pytest.mark.kola(name="ostree.remote", tags=["ostree", "smoke"])
def test_remote(machine: Machine, distro: Distro) -> None:
    """Remotes are added, listed, shown and removed; the system's own is there from the start."""

    def remotes() -> set[str]:
        return set(machine.run("ostree remote list").check().lines)

    there = remotes()
    assert distro.ostree_remote in there, f"{distro.ostree_remote} is not there, only {', '.join(there)}"
    url = "https://ostree.example.invalid/repo"
    machine.run(["ostree", "remote", "add", "--no-gpg-verify", "kola", url], sudo=True).check()
    assert "kola" in remotes()
    assert machine.run("ostree remote show-url kola").check().stdout.strip() == url
    assert url in machine.run("cat /etc/ostree/remotes.d/kola.conf /ostree/repo/config", sudo=True).stdout
    assert not machine.run(["ostree", "remote", "add", "kola", url], sudo=True).ok, "added twice"
    machine.run("ostree remote delete kola", sudo=True).check()
    left = remotes()
    assert left == {distro.ostree_remote}, f"the remotes are {', '.join(sorted(left))} after a removal"


@pytest.mark.kola(name="ostree.fsck", timeout="15m")
def test_fsck(machine: Machine) -> None:
    """Every object of the repository is what its name says, but for one that is changed, which is named."""
    changed = machine.run(
        "unshare -m sh -euc '"
        "mount -o remount,rw /sysroot; "
        "object=$(find /sysroot/ostree/repo/objects -samefile /usr/lib/os-release); "
        'echo >> "$object"; echo "$object"\'',
        sudo=True,
    ).check()
    name = changed.stdout.strip().removeprefix("/sysroot/ostree/repo/objects/").replace("/", "")
    found = machine.run("ostree fsck --quiet --all", sudo=True, timeout=600)
    assert not found.ok, "ostree fsck says that a changed object is right"
    told = [line for line in found.stderr.splitlines() if not line.startswith(("error: ", "Marking "))]
    assert len(told) == 1, found
    assert "orrupted" in told[0]
    assert name.removesuffix(".file") in told[0]


@pytest.mark.kola(guide="9.1#read-only")
def test_read_only_between_operations(machine: Machine) -> None:
    """ostree writes where nobody else may: its own operations work, and leave all as read-only as it was."""
    state = machine.unit("ostree-remount.service").active_state
    assert state == "active", f"ostree-remount.service is {state}"
    machine.run("ostree admin pin 0", sudo=True).check()
    assert "Pinned: yes" in status(machine)
    machine.run("ostree refs --create kola/probe $(ostree refs | head -1)", sudo=True).check()
    assert "kola/probe" in machine.run("ostree refs").check().stdout
    for path in ("/sysroot", "/usr", "/boot"):
        assert "ro" in mount_options(machine, path), f"{path} was left writable"
        touched = machine.run(["touch", f"{path}/kola-probe"], sudo=True)
        assert not touched.ok, f"root can write a file into {path}"

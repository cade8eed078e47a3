"""Rollback: for good, for one boot, and its effect on /etc and /var."""

from __future__ import annotations

from dataclasses import replace

import pytest

from harness.machine.machine import Machine
from testsuites.boot_menu import reboot_into
from testsuites.rpm_ostree import (
    Deployment,
    boot_entries,
    booted,
    commit_new_version,
    deployments,
    entry_arguments,
    kernel_arguments,
)

VERSION = "kola-test-1.0"


def upgraded(machine: Machine) -> None:
    """Write a file to /etc; commit a new version, rebase to it and boot it."""
    machine.run("echo before > /etc/kola-before", sudo=True).check()
    commit_new_version(machine, VERSION)
    machine.run("rpm-ostree rebase :local-branch", sudo=True, timeout=300).check()
    machine.reboot()


pytestmark = [
    pytest.mark.kola(tags=["rpm-ostree", "rollback"]),
    pytest.mark.machine(prepare=upgraded),
]


def new_and_old(machine: Machine) -> tuple[Deployment, Deployment]:
    """Return the two deployments of an upgraded machine that runs the new one."""
    found = deployments(machine)
    assert [row.version for row in found][:1] == [VERSION], "the new version was not booted"
    assert [row.booted for row in found] == [True, False]
    return found[0], found[1]


@pytest.mark.kola(
    name="rpmostree.upgrade-rollback",
    tags=["rpm-ostree", "upgrade", "rollback"],
    guide="9.4.2#permanent",
    timeout="15m",
)
def test_upgrade_and_rollback(machine: Machine) -> None:
    """A rebase and a reboot boot a new version; `rpm-ostree rollback` and a reboot the old one, for good."""
    new, old = new_and_old(machine)
    assert new.source == "local-branch", f"the new deployment is of {new.source}, not of local-branch"
    arguments = kernel_arguments(machine)
    machine.run("rpm-ostree rollback", sudo=True).check()
    machine.reboot()
    assert kernel_arguments(machine) == arguments, "the rollback changed the kernel arguments"
    assert entry_arguments(machine) == [arguments] * 2, "a boot entry has other arguments after the rollback"
    assert machine.file("/etc/kola-before").text == "before\n", "/etc is not the old system's own"
    first, second = deployments(machine)
    assert first == replace(old, booted=True), "the first deployment is not what it was before the upgrade"
    other = second.checksum
    assert other == new.checksum, f"the second deployment is {other}, not the new one, {new.checksum}"
    machine.run("rpm-ostree cleanup -rpmb", sudo=True).check()
    left = deployments(machine)
    assert left == [first], f"{len(left)} deployments are there after a cleanup, not the first alone"


@pytest.mark.kola(name="rollback.temporary", guide="9.4.1#temporary", timeout="15m")
def test_another_boot_entry_is_for_one_boot(machine: Machine) -> None:
    """The other entry of the boot menu boots the old system once; the boot after it is the default's.

    The new system's /etc is the old one's as it was at the upgrade, and its own from then on; /var is one for
    both.
    """
    new, old = new_and_old(machine)
    assert machine.file("/etc/kola-before").text == "before\n", "/etc was not taken along"
    entries = boot_entries(machine)
    assert len(entries) == 2, f"{len(entries)} boot entries are there, not two"

    reboot_into(machine, 1)
    running = booted(machine).checksum
    assert running == old.checksum, f"commit {running} runs, not the old one, {old.checksum}"
    assert [row.checksum for row in deployments(machine)] == [new.checksum, old.checksum]
    assert machine.file("/etc/kola-before").text == "before\n"
    machine.run("echo old > /etc/kola-old; echo old > /var/kola-old", sudo=True).check()

    machine.reboot()
    assert booted(machine).checksum == new.checksum, "the choice of one boot became the default"
    assert not machine.file("/etc/kola-old").exists, "/etc of the old system is the new one's too"
    assert machine.file("/var/kola-old").text == "old\n", "/var was not kept"

"""The way back: for good, for one boot, and what it does to /etc and /var."""

from __future__ import annotations

import pytest

from harness.machine.machine import Machine
from testsuites.boot_menu import reboot_into
from testsuites.rpm_ostree import boot_entries, booted, commit_new_version, deployments

pytestmark = pytest.mark.kola(tags=["rpm-ostree", "rollback"])


@pytest.mark.kola(
    name="rpmostree.upgrade-rollback",
    tags=["rpm-ostree", "upgrade", "rollback"],
    guide="9.4.2#permanent",
    timeout="15m",
)
def test_upgrade_and_rollback(machine: Machine) -> None:
    """A rebase and a reboot boot a new version; `rpm-ostree rollback` and a reboot the old one, for good."""
    original = booted(machine)
    commit = commit_new_version(machine, "kola-test-1.0")
    machine.run("rpm-ostree rebase :local-branch", sudo=True, timeout=300).check()
    assert len(deployments(machine)) == 2
    machine.reboot()
    first, second = deployments(machine)
    assert (first.source, first.checksum, first.version) == ("local-branch", commit, "kola-test-1.0")
    assert (first.booted, second.checksum) == (True, original.checksum)

    machine.run("rpm-ostree rollback", sudo=True).check()
    machine.reboot()
    first, second = deployments(machine)
    assert first == original, "the first deployment is not what it was before the upgrade"
    assert second.checksum == commit
    machine.run("rpm-ostree cleanup -rpmb", sudo=True).check()
    assert deployments(machine) == [original]


@pytest.mark.kola(name="rollback.temporary", guide="9.4.1#temporary", timeout="15m")
def test_another_boot_entry_is_for_one_boot(machine: Machine) -> None:
    """The other entry of the boot menu boots the old system once; the boot after it is the default's.

    The new system's /etc is the old one's as it was at the reboot, and its own from then on; /var is one for
    both.
    """
    old = booted(machine)
    machine.run("echo before > /etc/kola-before", sudo=True).check()
    commit = commit_new_version(machine, "kola-test-1.0")
    machine.run("rpm-ostree rebase :local-branch", sudo=True, timeout=300).check()

    reboot_into(machine, 1)
    now = booted(machine)
    assert now.checksum == old.checksum
    assert [row.checksum for row in deployments(machine)] == [commit, old.checksum]
    assert len(boot_entries(machine)) == 2
    assert machine.file("/etc/kola-before").text == "before\n"
    machine.run("echo old > /etc/kola-old; echo old > /var/kola-old; echo old > /etc/motd", sudo=True).check()

    machine.reboot()
    assert booted(machine).checksum == commit, "the choice of one boot became the default"
    assert machine.file("/etc/kola-before").text == "before\n", "/etc was not taken along"
    assert not machine.file("/etc/kola-old").exists, "/etc of the old system is the new one's too"
    assert machine.file("/var/kola-old").text == "old\n", "/var was not kept"

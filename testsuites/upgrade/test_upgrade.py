"""A machine of the older build becomes the build under test, keeps what is its own, and can go back."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from harness.artifact import Build, Distro
from harness.machine.machine import Machine
from harness.services.services import Services
from kola.plugin.builds import Upgrade
from testsuites.rpm_ostree import booted, deployments
from testsuites.support import os_release

pytestmark = pytest.mark.kola(tags=["upgrade", "rpm-ostree"], required_tag="upgrade", timeout="20m")


def repository(build: Build) -> Path:
    """The ostree repository of a build directory; the test is skipped where there is none."""
    root = build.directory.parents[2]
    for place in (root / "repo", root / "tmp/repo"):
        if (place / "config").is_file():
            return place
    pytest.skip(f"{root} has no ostree repository (repo or tmp/repo)")


def leave_marks(machine: Machine) -> None:
    """What an upgrade must keep: data in /var, configuration in /etc."""
    machine.run("echo mine > /var/kola-mine; echo mine > /etc/kola-mine", sudo=True).check()


def assert_upgraded(machine: Machine, upgrade: Upgrade, parent: str) -> None:
    """It runs the build under test, has kept what was its own, and the parent is the way back."""
    now, *others = deployments(machine)
    assert now.booted
    assert now.base == upgrade.target.meta.ostree_commit
    assert [other.checksum for other in others] == [parent]
    assert os_release(machine)["OSTREE_VERSION"] == upgrade.target.meta.ostree_version
    for path in ("/var/kola-mine", "/etc/kola-mine"):
        assert machine.file(path).text == "mine\n"
    assert machine.run("systemctl is-system-running --wait").stdout.strip() == "running"


def go_back(machine: Machine, parent: str) -> None:
    """Roll back, and see that it is the older build that runs."""
    machine.run("rpm-ostree rollback", sudo=True).check()
    machine.reboot()
    assert booted(machine).checksum == parent
    assert machine.file("/var/kola-mine").text == "mine\n"


@pytest.mark.kola(name="fcos.upgrade.basic", guide=["10.2.2#upgrade", "9.4.2#permanent"])
def test_upgrade_by_ostree(
    upgrade: Upgrade, distro: Distro, services: Services, new_machine: Callable[..., Machine]
) -> None:
    """`rpm-ostree upgrade` pulls the new commit from the remote; rollback brings the old system back."""
    server = services.http(repository(upgrade.target))
    machine = new_machine()
    parent = booted(machine)
    leave_marks(machine)
    remote, branch = parent.source.split(":", 1)
    machine.run(
        f"ostree remote delete --if-exists {remote}; "
        f"ostree remote add --no-gpg-verify {remote} {server.url('')}",
        sudo=True,
    ).check()
    machine.run("rpm-ostree upgrade", sudo=True, timeout=600).check()
    machine.reboot()
    assert_upgraded(machine, upgrade, parent.checksum)
    assert booted(machine).source == f"{remote}:{branch}"
    go_back(machine, parent.checksum)


@pytest.mark.kola(name="upgrade.archive", guide="10.2.2#rebase")
def test_upgrade_by_archive(
    upgrade: Upgrade, services: Services, new_machine: Callable[..., Machine]
) -> None:
    """The OCI archive of the new build, brought to the machine, is deployed; rollback undoes it."""
    if not upgrade.target.has("ostree"):
        pytest.skip(f"build {upgrade.target.id} has no OCI archive (images.ostree)")
    server = services.http({"os.ociarchive": upgrade.target.artifact("ostree").ready()})
    machine = new_machine()
    parent = booted(machine)
    leave_marks(machine)
    machine.run(
        f"curl -sSf -o /var/tmp/os.ociarchive {server.url('os.ociarchive')}", sudo=True, timeout=300
    ).check()
    reference = "ostree-unverified-image:oci-archive:/var/tmp/os.ociarchive"
    machine.run(f"rpm-ostree rebase {reference}", sudo=True, timeout=600).check()
    machine.reboot()
    now = booted(machine)
    assert now.source == reference
    assert os_release(machine)["OSTREE_VERSION"] == upgrade.target.meta.ostree_version
    for path in ("/var/kola-mine", "/etc/kola-mine"):
        assert machine.file(path).text == "mine\n"
    go_back(machine, parent.checksum)

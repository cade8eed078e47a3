"""A machine of the older build becomes the build under test, keeps what is its own, and can go back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from harness.artifact import Build, Distro
from harness.machine.machine import Machine
from harness.services.services import Services
from kola.plugin.builds import Upgrade
from testsuites.rpm_ostree import booted, deployments, entry_arguments, kernel_arguments
from testsuites.support import os_release

pytestmark = pytest.mark.kola(tags=["upgrade", "rpm-ostree"], required_tag="upgrade", timeout="20m")


def repository(build: Build) -> Path:
    """Return the ostree repository of a build directory; the test is skipped when there is none."""
    root = build.directory.parents[2]
    for place in (root / "repo", root / "tmp/repo"):
        if (place / "config").is_file():
            return place
    pytest.skip(f"{root} has no ostree repository (repo or tmp/repo)")


_CHANGED, _REMOVED = "/etc/host.conf", "/etc/issue.net"


@dataclass(frozen=True)
class Marks:
    """The state that an upgrade must keep. `removed` is True when the older build had the file to remove."""

    arguments: tuple[str, ...]
    removed: bool


def leave_marks(machine: Machine) -> Marks:
    """Write data to /var, and add, change and remove files of /etc; return the state, with kernel
    arguments.
    """
    machine.run("echo mine > /var/kola-mine; echo mine > /etc/kola-mine", sudo=True).check()
    machine.run(f"echo '# mine' >> {_CHANGED}", sudo=True).check()
    removed = machine.run(["rm", _REMOVED], sudo=True).ok
    return Marks(kernel_arguments(machine), removed)


def assert_kept(machine: Machine, marks: Marks) -> None:
    """Check that data, changes in /etc, and the kernel arguments of every boot entry are unchanged."""
    for path in ("/var/kola-mine", "/etc/kola-mine"):
        assert machine.file(path).text == "mine\n", f"{path} was not kept"
    assert machine.file(_CHANGED).text.endswith("# mine\n"), (
        f"{_CHANGED}, which was changed, is the build's again"
    )
    assert not (marks.removed and machine.file(_REMOVED).exists), f"{_REMOVED}, which was removed, is back"
    places = [kernel_arguments(machine), *entry_arguments(machine)]
    assert len(places) == 3, f"{len(places) - 1} boot entries are there, not two"
    for given in places:
        lost = [argument for argument in marks.arguments if argument not in given]
        assert not lost, f"a boot entry or the running kernel lost {' '.join(lost)}"


def assert_upgraded(machine: Machine, upgrade: Upgrade, parent: str, marks: Marks) -> None:
    """Check that the machine runs the build under test, has kept its state, and can roll back to the
    parent.
    """
    now, *others = deployments(machine)
    assert now.booted, f"the first deployment, {now.version}, is not the one that runs"
    commit, version = upgrade.target.meta.ostree_commit, upgrade.target.meta.ostree_version
    assert now.base == commit, f"commit {now.base} runs, not the build's {commit}"
    kept = [other.checksum for other in others]
    assert kept == [parent], f"besides the new deployment there is {', '.join(kept) or 'none'}, not {parent}"
    named = os_release(machine)["OSTREE_VERSION"]
    assert named == version, f"os-release names version {named}, not {version}"
    assert_kept(machine, marks)
    state = machine.run("systemctl is-system-running --wait").stdout.strip()
    assert state == "running", f"the upgraded system is {state}"


def go_back(machine: Machine, parent: str) -> None:
    """Roll back, and check that the older build runs."""
    machine.run("rpm-ostree rollback", sudo=True).check()
    machine.reboot()
    running = booted(machine).checksum
    assert running == parent, f"commit {running} runs after the rollback, not {parent}"
    assert machine.file("/var/kola-mine").text == "mine\n", "/var/kola-mine has other content"


@pytest.mark.kola(name="fcos.upgrade.basic", guide=["10.2.2#upgrade", "9.4.2#permanent"])
def test_upgrade_by_ostree(
    upgrade: Upgrade, distro: Distro, services: Services, new_machine: Callable[..., Machine]
) -> None:
    """`rpm-ostree upgrade` pulls the new commit from the remote; rollback brings the old system back."""
    server = services.http(repository(upgrade.target))
    machine = new_machine()
    parent = booted(machine)
    marks = leave_marks(machine)
    remote, branch = parent.source.split(":", 1)
    machine.run(
        f"ostree remote delete --if-exists {remote}; "
        f"ostree remote add --no-gpg-verify {remote} {server.url('')}",
        sudo=True,
    ).check()
    machine.run("rpm-ostree upgrade", sudo=True, timeout=600).check()
    machine.reboot()
    assert_upgraded(machine, upgrade, parent.checksum, marks)
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
    marks = leave_marks(machine)
    machine.run(
        f"curl -sSf -o /var/tmp/os.ociarchive {server.url('os.ociarchive')}", sudo=True, timeout=300
    ).check()
    reference = "ostree-unverified-image:oci-archive:/var/tmp/os.ociarchive"
    machine.run(f"rpm-ostree rebase {reference}", sudo=True, timeout=600).check()
    machine.reboot()
    now = booted(machine)
    assert now.source == reference
    assert os_release(machine)["OSTREE_VERSION"] == upgrade.target.meta.ostree_version
    assert_kept(machine, marks)
    go_back(machine, parent.checksum)

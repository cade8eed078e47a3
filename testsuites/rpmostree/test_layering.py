"""Packages are layered over the image and taken away again."""

from __future__ import annotations

import pytest

from harness.machine.machine import Machine
from harness.services.services import Services
from testsuites.rpm_ostree import boot_entries, booted, deployments, only_repository
from testsuites.rpmostree.layered import BEFORE, INSTALLED, layered
from testsuites.rpmostree.packages import LIBRARY, NEEDS_LIBRARY, PROBE

pytestmark = pytest.mark.kola(tags=["rpm-ostree"])


@pytest.mark.kola(
    name="rpmostree.install-uninstall",
    guide=["9.3#install", "9.3#two-entries", "9.1#layering"],
    tags=["rpm-ostree", "smoke"],
    timeout="15m",
)
@pytest.mark.machine(prepare=layered)
def test_install_and_uninstall(machine: Machine) -> None:
    """A local package is there after a reboot, listed, with two boot entries; and gone after the next."""
    said = machine.file(INSTALLED).text
    assert "changed" not in machine.file(BEFORE).text.split(), "the running system was changed"
    first, *others = deployments(machine)
    assert first.booted, said
    assert first.local == ("kola-probe-1.0-1.noarch",), said
    assert [deployment.checksum for deployment in others] == [first.base]
    assert "LocalPackages: kola-probe-1.0-1.noarch" in machine.run("rpm-ostree status -v").check().stdout
    assert machine.run("kola-probe").check().stdout == "probe\n"
    assert machine.file("/etc/kola-probe.conf").text == "default\n"
    assert machine.run("rpm -q kola-probe").check().stdout.startswith("kola-probe-1.0-1")
    entries = boot_entries(machine)
    assert len(entries) == 2, f"{len(entries)} boot entries are there, not two"

    machine.run("rpm-ostree uninstall kola-probe", sudo=True, timeout=300).check()
    machine.reboot()
    now = booted(machine)
    assert (now.checksum, now.local) == (first.base, ())
    assert not machine.file("/usr/bin/kola-probe").exists, "/usr/bin/kola-probe is still there"
    assert not machine.run("rpm -q kola-probe").ok, "rpm still lists kola-probe"


@pytest.fixture
def repository_file(services: Services) -> str:
    """The .repo file of a repository with a package and what it needs."""
    return services.rpm_repository([PROBE, LIBRARY, NEEDS_LIBRARY]).repo_file()


@pytest.mark.kola(name="rpmostree.install-repository", guide="9.3#install", timeout="10m")
def test_install_from_a_repository(repository_file: str, machine: Machine) -> None:
    """A package comes from a repository by its name, with what it needs, and is in the pending deployment."""
    only_repository(machine, repository_file)
    before = booted(machine)
    done = machine.run("rpm-ostree install kola-needy", sudo=True, timeout=300).check()
    assert "kola-library-1.0-1.noarch" in done.stdout
    first, second = deployments(machine)
    assert first.requested == first.packages == ("kola-needy",)
    assert (first.staged, first.booted, second.booted) == (True, False, True)
    assert second.checksum == before.checksum
    assert machine.file(f"{first.directory}/usr/share/kola-library").text == "library\n"
    assert "LayeredPackages: kola-needy" in machine.run("rpm-ostree status").check().stdout
    machine.run("rpm-ostree cleanup -p", sudo=True).check()
    assert [deployment.checksum for deployment in deployments(machine)] == [before.checksum]

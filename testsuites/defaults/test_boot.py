"""It boots, whole and as itself."""

from __future__ import annotations

import re

import pytest

from harness.artifact import Distro
from harness.machine.machine import Machine
from testsuites.support import os_release, words

pytestmark = pytest.mark.kola(tags=["defaults"])


@pytest.mark.kola(name="basic", guide="8.2.1")
@pytest.mark.machine(boot="cold")
def test_boots_without_failed_units(machine: Machine) -> None:
    """A first boot for real ends with the system running, its own kernel and no unit failed."""
    assert machine.run("systemctl is-system-running --wait").stdout.strip() == "running"
    assert machine.run("systemctl list-units --state=failed --no-legend --plain").stdout.strip() == ""
    kernel = machine.run("uname -r").check().stdout.strip()
    assert machine.file(f"/usr/lib/modules/{kernel}").exists


@pytest.mark.kola(guide="5.4#default-target")
def test_default_target(machine: Machine, distro: Distro) -> None:
    """The system comes up in its default target."""
    assert machine.run("systemctl get-default").check().stdout.strip() == distro.default_target
    assert machine.unit(distro.default_target).active_state == "active"


@pytest.mark.kola(guide="5.5.4")
def test_os_release(machine: Machine, distro: Distro) -> None:
    """os-release says which NestOS this is."""
    fields = os_release(machine)
    assert distro.accepts(fields), f"os-release is that of another system: {fields}"
    for key in ("NAME", "VERSION", "VERSION_ID", "PRETTY_NAME", "OSTREE_VERSION"):
        assert fields.get(key), f"os-release has no {key}"
    assert fields["VERSION_ID"] in fields["VERSION"]
    assert distro.title in fields["PRETTY_NAME"]


@pytest.mark.kola(guide="5.5.4")
def test_deployed_version_is_the_one_named(machine: Machine) -> None:
    """ostree booted the version that os-release names."""
    version = os_release(machine)["OSTREE_VERSION"]
    assert version in machine.run("ostree admin status", sudo=True).check().stdout


@pytest.mark.kola(guide="5.4#kernel-arguments")
def test_kernel_arguments(machine: Machine, distro: Distro) -> None:
    """The kernel got the arguments the build configures, and boots the ostree deployment."""
    given = words(machine.run("cat /proc/cmdline").check().stdout)
    for argument in distro.extra_kargs:
        assert argument in given
    assert any(argument.startswith("ostree=") for argument in given)
    assert any(argument.startswith("root=") for argument in given)


@pytest.mark.kola()
def test_machine_id(machine: Machine) -> None:
    """The machine has an id of its own, made at first boot."""
    found = machine.run("cat /etc/machine-id").check().stdout.strip()
    assert re.fullmatch(r"[0-9a-f]{32}", found)
    assert found != "0" * 32
    shipped = machine.run("cat /usr/etc/machine-id").stdout.strip()
    assert found != shipped


@pytest.mark.kola()
def test_journal_is_persistent(machine: Machine) -> None:
    """The journal lies on disk and begins with this boot's kernel."""
    on_disk = machine.run("ls -d /var/log/journal/$(cat /etc/machine-id)", sudo=True)
    assert on_disk.ok, "this machine's journal is not on disk"
    first = machine.run("journalctl -b -k -o cat -n 3 --no-pager", sudo=True).check()
    assert first.stdout.strip()


@pytest.mark.kola()
def test_no_errors_are_logged_by_init(machine: Machine) -> None:
    """systemd itself logs nothing of priority `err` while booting."""
    read = "journalctl -b -q -o cat --no-pager SYSLOG_IDENTIFIER=systemd"
    assert machine.run(f"{read} -n 1", sudo=True).check().stdout.strip(), "what systemd logs cannot be read"
    errors = machine.run(f"{read} -p err", sudo=True).check().stdout.strip()
    assert not errors, f"systemd logged {errors!r}"


@pytest.mark.kola()
def test_time_is_synchronised_by_a_service(machine: Machine) -> None:
    """At least one time service is enabled and running."""
    names = ("chronyd.service", "chrony.service", "systemd-timesyncd.service")
    units = [machine.unit(name) for name in names]
    states = [(unit.active_state, unit.enabled_state) for unit in units]
    assert ("active", "enabled") in states, f"no time service is both enabled and running: {states}"

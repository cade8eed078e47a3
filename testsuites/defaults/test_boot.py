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
    state = machine.run("systemctl is-system-running --wait").stdout.strip()
    failed = machine.run("systemctl list-units --state=failed --no-legend --plain").lines
    units = ", ".join(line.split()[0] for line in failed)
    assert state == "running", f"the system is {state}; failed units: {units or 'none'}"
    assert not failed, f"failed units: {units}"
    kernel = machine.run("uname -r").check().stdout.strip()
    assert machine.file(f"/usr/lib/modules/{kernel}").exists, (
        f"kernel {kernel} runs, which /usr does not have"
    )


@pytest.mark.kola(guide="5.4#default-target")
def test_default_target(machine: Machine, distro: Distro) -> None:
    """The system comes up in its default target."""
    target = distro.default_target
    found = machine.run("systemctl get-default").check().stdout.strip()
    assert found == target, f"the default target is {found}, not {target}"
    state = machine.unit(target).active_state
    assert state == "active", f"{target} is {state}"


@pytest.mark.kola(guide="5.5.4")
def test_os_release(machine: Machine, distro: Distro) -> None:
    """os-release says which NestOS this is."""
    fields = os_release(machine)
    assert distro.accepts(fields), f"os-release is that of another system: {fields}"
    for key in ("NAME", "VERSION", "VERSION_ID", "PRETTY_NAME", "OSTREE_VERSION"):
        assert fields.get(key), f"os-release has no {key}"
    version, name = fields["VERSION"], fields["PRETTY_NAME"]
    assert fields["VERSION_ID"] in version, f"VERSION is {version!r}, without {fields['VERSION_ID']}"
    assert distro.title in name, f"PRETTY_NAME is {name!r}, without {distro.title}"


@pytest.mark.kola(guide="5.5.4")
def test_deployed_version_is_the_one_named(machine: Machine) -> None:
    """ostree booted the version that os-release names."""
    version = os_release(machine)["OSTREE_VERSION"]
    status = machine.run("ostree admin status", sudo=True).check().stdout.strip()
    assert version in status, f"os-release names version {version}, ostree says: {status}"


@pytest.mark.kola(guide="5.4#kernel-arguments")
def test_kernel_arguments(machine: Machine, distro: Distro) -> None:
    """The kernel got the arguments the build configures, and boots the ostree deployment."""
    given = words(machine.run("cat /proc/cmdline").check().stdout)
    for argument in distro.extra_kargs:
        assert argument in given, f"the kernel did not get {argument}: {' '.join(given)}"
    for key in ("ostree=", "root="):
        named = any(argument.startswith(key) for argument in given)
        assert named, f"the kernel got no {key}: {' '.join(given)}"


@pytest.mark.kola()
def test_machine_id(machine: Machine) -> None:
    """The machine has an id of its own, made at first boot."""
    found = machine.run("cat /etc/machine-id").check().stdout.strip()
    assert re.fullmatch(r"[0-9a-f]{32}", found), f"/etc/machine-id has {found!r}, not 32 digits"
    assert found != "0" * 32, "the machine's id is all zeros"
    shipped = machine.run("cat /usr/etc/machine-id").stdout.strip()
    assert found != shipped, f"the machine's id {found} is the image's"


@pytest.mark.kola()
def test_journal_is_persistent(machine: Machine) -> None:
    """The journal lies on disk and begins with this boot's kernel."""
    on_disk = machine.run("ls -d /var/log/journal/$(cat /etc/machine-id)", sudo=True)
    assert on_disk.ok, "this machine's journal is not on disk"
    first = machine.run("journalctl -b -k -o cat -n 3 --no-pager", sudo=True).check()
    assert first.stdout.strip(), "the journal has no message of this boot's kernel"


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

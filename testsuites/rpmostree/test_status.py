"""The output of `rpm-ostree status`."""

from __future__ import annotations

import re

import pytest

from harness.machine.machine import Machine
from testsuites.rpm_ostree import booted, deployments

pytestmark = pytest.mark.kola(tags=["rpm-ostree"])


@pytest.mark.kola(name="rpmostree.status")
def test_text_and_json_agree(machine: Machine) -> None:
    """Version, commit and origin are the same in the text and in the JSON, and one deployment is booted."""
    current = booted(machine)
    text = machine.run("rpm-ostree status").check().stdout
    versions = re.findall(r"^\s*Version: (\S+)", text, re.MULTILINE)
    assert versions == [deployment.version for deployment in deployments(machine)]
    assert current.source in text
    assert "●" in text or "*" in text, "no deployment is marked as booted"
    verbose = machine.run("rpm-ostree status -v").check().stdout
    assert current.base in verbose
    assert re.search(rf"StateRoot: {current.osname}$", verbose, re.MULTILINE)


@pytest.mark.kola(name="rpmostree.status.booted")
def test_only_the_booted_deployment(machine: Machine) -> None:
    """`status -b` is about the running system, which is also what /proc/cmdline names."""
    current = booted(machine)
    text = machine.run("rpm-ostree status -b").check().stdout
    assert "BootedDeployment:" in text
    shown = len(re.findall(r"^\s*(?:Version|Timestamp): ", text, re.MULTILINE))
    assert shown == 1, f"`status -b` shows {shown} deployments, not one"
    link = re.search(r"ostree=(\S+)", machine.run("cat /proc/cmdline").check().stdout)
    assert link is not None, "/proc/cmdline has no ostree="
    target = machine.run(["readlink", "-f", f"/sysroot{link.group(1)}"]).check().stdout.strip()
    named = f"{current.checksum}.{current.serial}"
    assert target.endswith(f"/{named}"), f"/proc/cmdline leads to {target}, and `status -b` names {named}"


@pytest.mark.kola(name="rpmostree.rpm-database")
def test_the_rpm_database_lists_the_system(machine: Machine) -> None:
    """`rpm -q` answers for the packages of the image, and knows whose a file is."""
    known = machine.run("rpm -q systemd bash").check().lines[0]
    assert known.startswith("systemd-"), f"`rpm -q systemd` says {known!r}"
    whose = machine.run("rpm -qf /usr/bin/bash").check().stdout.strip()
    assert whose.startswith("bash-"), f"`rpm -qf /usr/bin/bash` says {whose!r}"
    count = len(machine.run("rpm -qa").check().lines)
    assert count > 100, f"`rpm -qa` lists {count} packages, not more than 100"

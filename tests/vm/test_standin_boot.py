"""The stand-in for rpm-ostree on a running system: staged, booted, rolled back; one machine, two reboots."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest
from machinelab import MachineLab

from harness.machine.machine import Machine
from harness.services.rpms import Rpm, RpmFile

pytestmark = pytest.mark.vm

PROBE = Rpm(
    name="kola-probe",
    files={"/usr/bin/kola-probe": RpmFile("#!/bin/sh\necho probe\n", 0o755), "/etc/kola-probe.conf": "x\n"},
    requires=("bash", "systemd"),
    post="echo done > /usr/share/kola-probe-post",
)


def _status(machine: Machine) -> list[dict[str, Any]]:
    deployments = json.loads(machine.run("rpm-ostree status --json").check().stdout)["deployments"]
    assert isinstance(deployments, list)
    return deployments


def _entries(machine: Machine) -> int:
    return len(machine.run("ls /boot/loader/entries/*.conf", sudo=True).check().lines)


def test_a_layered_package_comes_with_a_reboot_and_goes_with_a_rollback(
    lab: MachineLab, tmp_path: Path
) -> None:
    machine = lab.boot()
    assert machine.run("rpm -q systemd bash").check().lines[0].startswith("systemd-252")
    assert not machine.run("command -v python3 perl").ok
    started = time.monotonic()
    (base,) = _status(machine)
    print(f"status took {time.monotonic() - started:.1f} s")
    assert base["booted"]
    assert f"Version: {base['version']}" in machine.run("rpm-ostree status").stdout
    assert machine.run("rpm-ostree upgrade").stderr == "error: This command requires root privileges\n"

    machine.put(PROBE.build(tmp_path), "/tmp/probe.rpm")
    started = time.monotonic()
    done = machine.run("rpm-ostree install /tmp/probe.rpm", sudo=True).check()
    print(f"install took {time.monotonic() - started:.1f} s")
    assert "Added:\n  kola-probe-1.0-1.noarch\n" in done.stdout
    assert [row["staged"] for row in _status(machine)] == [True, False]
    assert not machine.file("/usr/bin/kola-probe").exists
    machine.run("echo kept > /etc/kola-kept; echo kept > /var/kola-kept", sudo=True).check()
    machine.reboot()

    layered, before = _status(machine)
    assert (layered["booted"], layered["staged"]) == (True, False)
    assert layered["requested-local-packages"] == ["kola-probe-1.0-1.noarch"]
    assert layered["base-checksum"] == before["checksum"] == base["checksum"]
    assert machine.run("rpm -q kola-probe").check().stdout == "kola-probe-1.0-1.noarch\n"
    assert machine.run("kola-probe; cat /etc/kola-probe.conf /etc/kola-kept /var/kola-kept").lines == [
        "probe", "x", "kept", "kept",
    ]  # fmt: skip
    assert machine.file("/usr/share/kola-probe-post").exists
    assert _entries(machine) == 2

    assert "Moving " in machine.run("rpm-ostree rollback", sudo=True).check().stdout
    machine.reboot()
    assert [row["checksum"] for row in _status(machine)] == [base["checksum"], layered["checksum"]]
    assert not machine.file("/usr/bin/kola-probe").exists
    assert not machine.run("rpm -q kola-probe").ok
    assert machine.file("/var/kola-kept").exists

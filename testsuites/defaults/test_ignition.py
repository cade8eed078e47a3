"""Ignition ran at the first boot, and never again."""

from __future__ import annotations

import pytest

from harness.machine.machine import Machine

pytestmark = pytest.mark.kola(tags=["defaults", "ignition"])

MARK = {
    "ignition": {"version": "3.3.0"},
    "storage": {
        "files": [{"path": "/etc/kola-once", "mode": 420, "contents": {"source": "data:,written%20once%0A"}}]
    },
}


@pytest.mark.kola(name="nestos.ignition.once")
@pytest.mark.machine(ignition=MARK)
def test_ignition_runs_once(machine: Machine) -> None:
    """What Ignition wrote is there; once removed it does not come back with the next boot."""
    assert machine.file("/etc/kola-once").text == "written once\n"
    assert not machine.file("/boot/ignition.firstboot").exists
    machine.run("rm /etc/kola-once", sudo=True).check()
    machine.reboot()
    assert not machine.file("/etc/kola-once").exists, "the config was applied again"


@pytest.mark.kola()
def test_ignition_says_that_a_config_was_applied(machine: Machine) -> None:
    """The login message tells that the machine was configured."""
    assert machine.journal.grep(
        "Ignition: user-provided config was applied"
    ) or "user-provided config was applied" in (
        machine.run("cat /run/issue.d/*.issue /etc/issue.d/*.issue 2>/dev/null").stdout
    )

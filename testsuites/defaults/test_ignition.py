"""Ignition ran at the first boot, and never again."""

from __future__ import annotations

import pytest

from harness.machine.machine import Machine
from testsuites.second_boot import BEFORE, FROM_IGNITION, rebooted

pytestmark = pytest.mark.kola(tags=["defaults", "ignition"])


@pytest.mark.kola(name="nestos.ignition.once")
@pytest.mark.machine(prepare=rebooted)
def test_ignition_runs_once(machine: Machine) -> None:
    """A file that Ignition wrote and somebody removed does not come back at the next boot."""
    assert "removed" in machine.file(BEFORE).text.split(), "nothing of the config was there to be removed"
    assert not machine.file("/boot/ignition.firstboot").exists, "/boot/ignition.firstboot is still there"
    arguments = machine.run("cat /proc/cmdline").check().stdout
    assert "ignition.firstboot" not in arguments, "the second boot has the argument ignition.firstboot"
    assert not machine.file(FROM_IGNITION).exists, "the config was applied again"


@pytest.mark.kola()
def test_ignition_says_that_a_config_was_applied(machine: Machine) -> None:
    """The login message tells that the machine was configured."""
    words = "user-provided config was applied"
    if not machine.journal.grep(f"Ignition: {words}"):
        shown = machine.run("cat /run/issue.d/*.issue /etc/issue.d/*.issue 2>/dev/null").stdout
        assert words in shown, f"neither journal nor login message says {words!r}: {shown.strip()!r}"

"""SELinux is enforcing, and its booleans are kept or forgotten as asked."""

from __future__ import annotations

import pytest

from harness.machine.machine import Machine

pytestmark = pytest.mark.kola(tags=["misc", "selinux"], needs=["selinux"])


def boolean(machine: Machine) -> tuple[str, str]:
    """The first boolean of the policy and its value."""
    name, value = machine.run("getsebool -a | head -1", sudo=True).check().stdout.strip().split(" --> ")
    return name, value


def value_of(machine: Machine, name: str) -> str:
    return machine.run(["getsebool", name], sudo=True).check().stdout.strip().split(" --> ")[1]


@pytest.mark.kola(name="nestos.selinux.enforce")
def test_enforcing(machine: Machine) -> None:
    """SELinux enforces its policy, at the first boot and after a reboot."""
    mode = machine.run("getenforce").check().stdout.strip()
    assert mode == "Enforcing", f"SELinux is {mode}, not Enforcing"
    machine.reboot()
    mode = machine.run("getenforce").check().stdout.strip()
    assert mode == "Enforcing", f"SELinux is {mode} after a reboot, not Enforcing"


@pytest.mark.kola(name="nestos.selinux.boolean")
def test_boolean(machine: Machine) -> None:
    """A boolean set for now is as before after a reboot."""
    name, before = boolean(machine)
    other = "off" if before == "on" else "on"
    machine.run(["setsebool", name, other], sudo=True).check()
    assert value_of(machine, name) == other
    machine.reboot()
    assert value_of(machine, name) == before


@pytest.mark.kola(name="rhcos.selinux.boolean.persist", timeout="15m")
def test_persistent_boolean(machine: Machine) -> None:
    """A boolean set for good is so after a reboot."""
    name, before = boolean(machine)
    other = "off" if before == "on" else "on"
    machine.run(["setsebool", "-P", name, other], sudo=True).check()
    machine.reboot()
    assert value_of(machine, name) == other

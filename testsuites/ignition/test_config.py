"""The source of the config, its removal, and a boot without one."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from harness.artifact import Distro
from harness.machine.machine import Machine
from testsuites.ignition.subjects import EVERYTHING

pytestmark = pytest.mark.kola(tags=["ignition"])

SHOWN = 400


@pytest.mark.kola()
@pytest.mark.machine(ignition=EVERYTHING, boot="clone")
def test_config_is_not_left_to_be_read(machine: Machine) -> None:
    """After the first boot no user reads the config, and /boot holds neither it nor the order to apply it."""
    places = "/run/ignition.json /sys/firmware/qemu_fw_cfg/by_name/opt/com.coreos/config/raw"
    for place in places.split():
        assert not machine.run(["cat", place]).ok, f"{place} can be read by everybody"
    assert machine.run("ls -d /boot/ignition*", sudo=True).stdout.split() == []


@pytest.mark.kola()
@pytest.mark.machine(ignition=None)
def test_no_config_at_all(machine: Machine) -> None:
    """Without a config the machine boots, and the console says that no config and no key were given."""
    shown = machine.console.text(SHOWN)
    assert "Ignition: no config provided by user" in shown
    assert "No SSH authorized keys provided by Ignition or Afterburn" in shown


@pytest.mark.kola()
@pytest.mark.machine(ignition=b'{"ignition": {"version": "3.0.0"}}')
def test_empty_config(machine: Machine) -> None:
    """A config that asks for nothing is applied, and the machine comes up."""
    shown = machine.console.text(SHOWN)
    assert "Ignition: user-provided config was applied" in shown
    assert "No SSH authorized keys provided by Ignition or Afterburn" in shown


@pytest.mark.kola(name="ignition.kargs", timeout="15m")
def test_kernel_arguments(new_machine: Callable[..., Machine], distro: Distro) -> None:
    """Kernel arguments that should exist do, once, and those that should not do not: at once and for good."""
    unwanted = distro.extra_kargs[0]
    machine = new_machine(
        ignition={
            "ignition": {"version": "3.3.0"},
            "kernelArguments": {"shouldExist": ["kola.wanted=1", "quiet"], "shouldNotExist": [unwanted]},
        }
    )
    running = machine.run("cat /proc/cmdline").check().stdout
    to_come = machine.run("grep -h ^options /boot/loader/entries/*", sudo=True).check().stdout
    for words in (running.split(), to_come.split()):
        shown = " ".join(words)
        for wanted in ("kola.wanted=1", "quiet"):
            times = words.count(wanted)
            assert times == 1, f"{wanted} is given {times} times, not once: {shown}"
        assert unwanted not in words, f"{unwanted} should not exist and is given: {shown}"
        assert any(word.startswith("ostree=") for word in words), f"there is no ostree=: {shown}"

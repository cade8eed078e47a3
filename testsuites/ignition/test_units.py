"""Units of the config are written, enabled, changed and masked as it says."""

from __future__ import annotations

import pytest

from harness.machine.machine import Machine
from testsuites.ignition.subjects import EVERYTHING

pytestmark = [
    pytest.mark.kola(tags=["ignition", "systemd"]),
    pytest.mark.machine(ignition=EVERYTHING, boot="clone"),
]


@pytest.mark.kola(guide="7.4.4", tags=["ignition", "systemd", "smoke"])
def test_an_enabled_unit_has_run(machine: Machine) -> None:
    """A unit with `enabled: true` is enabled, active, and ran once."""
    unit = machine.unit("kola-ran.service")
    assert (unit.enabled_state, unit.active_state) == ("enabled", "active")
    assert machine.file("/var/lib/kola-ran").text == "ran\n"


@pytest.mark.kola(guide="7.4.4")
def test_a_disabled_unit_has_not_run(machine: Machine) -> None:
    """A unit with `enabled: false` is there, disabled, and did not run; it can be started by hand."""
    unit = machine.unit("kola-off.service")
    assert (unit.enabled_state, unit.active_state) == ("disabled", "inactive")
    assert not machine.file("/var/lib/kola-off").exists, "the disabled unit has run"
    unit.start()
    state = unit.active_state
    assert state == "active", f"{unit.name} was started and is {state}"


@pytest.mark.kola(name="nestos.ignition.instantiated.enable-unit", guide="7.4.4")
def test_instantiated_units(machine: Machine) -> None:
    """Instances of a template unit are enabled, each by itself."""
    for instance in ("one", "two"):
        unit = machine.unit(f"kola-echo@{instance}.service")
        assert (unit.enabled_state, unit.active_state) == ("enabled", "active")
        assert machine.file(f"/run/kola-echo-{instance}").text == f"{instance}\n"
    assert machine.run("ls /run/kola-echo-*").check().lines == ["/run/kola-echo-one", "/run/kola-echo-two"]


@pytest.mark.kola()
def test_dropins(machine: Machine) -> None:
    """A drop-in changes a unit of the system and leaves the rest of it alone."""
    unit = machine.unit("NetworkManager.service")
    environment, state = unit.show("Environment"), unit.active_state
    assert "KOLA_DROPIN=yes" in environment, f"the drop-in's KOLA_DROPIN=yes is not in {environment!r}"
    assert state == "active", f"{unit.name} is {state}"
    assert not unit.show("FragmentPath").startswith("/etc/"), "the unit itself was replaced"


@pytest.mark.kola()
def test_masks(machine: Machine) -> None:
    """A masked unit cannot be started, not even by root."""
    unit = machine.unit("systemd-timedated.service")
    state = unit.enabled_state
    assert state == "masked", f"{unit.name} is {state}, not masked"
    started = machine.run(["systemctl", "start", unit.name], sudo=True)
    assert not started.ok, f"{unit.name} was started though it is masked"
    assert "masked" in started.stderr, f"it failed for another reason: {started.stderr.strip()}"


@pytest.mark.kola()
def test_presets(machine: Machine) -> None:
    """A unit that the config enables stays enabled by a preset that systemd knows."""
    listed = machine.run("systemctl list-unit-files --no-legend --plain 'kola-*'").check().lines
    states = {line.split()[0]: line.split()[1:3] for line in listed}
    assert states["kola-ran.service"] == ["enabled", "enabled"]
    assert states["kola-off.service"] == ["disabled", "disabled"]

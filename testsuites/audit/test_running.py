"""Everything that runs or listens, or would, listed and judged."""

from __future__ import annotations

import pytest

from harness.artifact import Distro
from harness.machine.machine import Machine
from testsuites.audit import engines, health, listeners, units
from testsuites.audit.configured import Configured
from testsuites.audit.finding import Finding, assert_none
from testsuites.audit.judging import Judge
from testsuites.audit.proofs import unlisted
from testsuites.audit.record import Record
from testsuites.audit.states import aged

pytestmark = pytest.mark.kola(tags=["audit", "systemd"])

_COUNTS = (
    "busctl get-property org.freedesktop.systemd1 /org/freedesktop/systemd1 "
    "org.freedesktop.systemd1.Manager NFailedUnits"
)
_STATES = "systemctl list-units --all --plain --no-legend --full"


@pytest.mark.kola()
def test_enabled_units(record: Record, configured: Configured) -> None:
    """Units, sockets, timers and paths are enabled if and only if presets say so."""
    assert_none(units.enabled_units(record, configured))


@pytest.mark.kola()
def test_unit_files(record: Record, configured: Configured) -> None:
    """No unit, drop-in or setting of systemd is outside /usr but the build's own."""
    assert_none(units.unit_files(record, configured))


@pytest.mark.kola()
def test_disabled_units(record: Record, configured: Configured) -> None:
    """No unit that presets enable is disabled, and none is masked by hand."""
    assert_none(units.missing_units(record, configured))


@pytest.mark.kola(guide="9.2#docker-off")
def test_container_engines(record: Record, distro: Distro) -> None:
    """Docker, containerd and their like are off, by every road."""
    assert_none(engines.container_engines(record, distro))


@pytest.mark.kola()
def test_limits_of_users(record: Record) -> None:
    """Users can limit the memory and processes of their containers, and have files enough for them."""
    assert_none(engines.users_limits(record))


@pytest.mark.kola()
def test_network_online(record: Record) -> None:
    """A service that waits for the network is enabled, and comes before network-online.target."""
    assert_none(health.waits_for_network(record))


@pytest.mark.kola()
def test_units_are_well(record: Record) -> None:
    """No unit of the system or of a user's manager failed, restarts, or is still starting."""
    assert_none(health.unwell_units(record))


@pytest.mark.kola(name="audit.late.units-are-still-well", timeout="15m")
@pytest.mark.machine(prepare=aged)
def test_units_are_still_well_later(machine: Machine) -> None:
    """Three minutes after its boot, no unit has failed or been restarted."""
    show = f"systemctl show -p Id,NRestarts,WatchdogUSec $({_STATES} | cut -d' ' -f1 | grep service$)"
    users = f"{_STATES.replace('systemctl', 'systemctl --user')} | sed 's/^/{machine.access.user}: /'"
    parts = (
        f"echo '@@ units'; {_STATES}; echo '@@ jobs'; systemctl list-jobs --no-legend",
        f"echo '@@ manager'; {_COUNTS}; echo '@@ services'; {show}",
    )
    text = machine.run("; ".join(parts), sudo=True).check()
    own = machine.run(f"echo; echo '@@ user-units'; {users}").check()
    record = Record(text.stdout + own.stdout)
    found = health.unwell_units(record)
    if len(record.units) < 50:
        found.append(Finding("the tool works", "systemctl", f"it lists {len(record.units)} units"))
    found += [Finding("the tool works", "systemctl", says) for says in unlisted(record)]
    assert_none(found)


@pytest.mark.kola()
def test_listeners(record: Record, distro: Distro, judge: Judge) -> None:
    """Every listening socket, on loopback too, is of a service the system is known for."""
    judge(listeners.listeners(record, distro), "allowed_listeners")

"""Names: whom the machine asks, and that logins and units get answers."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from harness.machine.machine import Machine
from harness.services import Services
from testsuites.audit import names
from testsuites.audit.finding import assert_none
from testsuites.audit.record import Record
from testsuites.names import ADDRESS, NAME, asking

pytestmark = pytest.mark.kola(tags=["audit", "network"])


@pytest.mark.kola()
def test_resolvers(record: Record) -> None:
    """The machine asks the servers of its network for names, and containers ask the same ones."""
    assert_none([*names.resolvers(record), *names.of_containers(record)])


@pytest.mark.kola()
def test_logins_and_units_get_answers(services: Services, new_machine: Callable[..., Machine]) -> None:
    """A name that the network's server knows is known to logins and to units."""
    machine = asking(services, new_machine)
    for who, command in (
        ("a login", ""),
        ("a unit", "sudo systemd-run --quiet --wait --pipe"),
    ):
        asked = machine.run(f"{command} getent ahostsv4 {NAME}")
        assert ADDRESS in asked.stdout, f"{who} does not get the address of {NAME}: {asked.stderr.strip()}"

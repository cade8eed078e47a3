"""Listening sockets."""

from __future__ import annotations

import pytest

from harness.artifact import Distro
from harness.machine.machine import Machine
from testsuites.support import listeners

pytestmark = pytest.mark.kola(tags=["defaults", "network"])


@pytest.mark.kola(name="fcos.network.listeners")
def test_listeners(machine: Machine, distro: Distro) -> None:
    """Only the services the system is known for listen to the network."""
    found = listeners(machine)
    known = {(one.protocol, one.port) for one in distro.allowed_listeners}
    assert found <= known, f"unexpected listeners: {sorted(found - known)}"
    required = {(one.protocol, one.port) for one in distro.required_listeners}
    assert required <= found, f"missing listeners: {sorted(required - found)}"


@pytest.mark.kola()
def test_address_by_dhcp(machine: Machine) -> None:
    """The first NIC has an address it was given, and a way to its network."""
    addresses = machine.run("ip -4 -br addr show scope global").check().stdout.strip()
    assert "10.0.2.15/24" in addresses, f"no interface has 10.0.2.15/24: {addresses or 'no address'}"
    routes = machine.run("ip -4 route").check().stdout.strip()
    assert "10.0.2.0/24" in routes, f"no route leads to 10.0.2.0/24: {routes or 'no route'}"


@pytest.mark.kola()
def test_network_is_restricted(machine: Machine) -> None:
    """A test that does not ask for the internet does not have it."""
    reached = machine.run("timeout 3 bash -c 'echo > /dev/tcp/192.0.2.1/80'")
    assert not reached.ok, "192.0.2.1, which is outside, takes connections"


@pytest.mark.kola()
def test_localhost_resolves(machine: Machine) -> None:
    """The machine knows its own name."""
    assert machine.run("getent hosts localhost").ok, "localhost has no address"
    assert machine.run('getent hosts "$(hostname)"').ok, "the machine's own name has no address"

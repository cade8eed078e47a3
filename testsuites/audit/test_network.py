"""The machine's network, and the way of packets through it."""

from __future__ import annotations

import pytest

from testsuites.audit import network, packets
from testsuites.audit.finding import assert_none
from testsuites.audit.record import Record

pytestmark = pytest.mark.kola(tags=["audit", "network"])


@pytest.mark.kola()
def test_traffic(record: Record) -> None:
    """No rule of a firewall, filter, virtual interface, routing rule or route is on the way of packets."""
    assert_none(packets.traffic(record))


@pytest.mark.kola()
def test_addresses_and_queues(record: Record) -> None:
    """The loopback has its addresses, and no interface has a queue but the kernel's."""
    assert_none(network.addresses_and_queues(record))

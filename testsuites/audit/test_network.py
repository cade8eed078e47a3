"""The way of packets through the machine."""

from __future__ import annotations

import pytest

from testsuites.audit import packets
from testsuites.audit.finding import assert_none
from testsuites.audit.record import Record

pytestmark = pytest.mark.kola(tags=["audit", "network"])


@pytest.mark.kola()
def test_traffic(record: Record) -> None:
    """No rule of a firewall, filter, virtual interface, routing rule or route is on the way of packets."""
    assert_none(packets.traffic(record))

"""Addresses, routes and queues, all of them."""

from __future__ import annotations

import pytest

from testsuites.audit import network
from testsuites.audit.finding import assert_none
from testsuites.audit.record import Record


@pytest.mark.kola(tags=["audit", "network"])
def test_routes_and_rules(record: Record) -> None:
    """The loopback has its addresses; no rule, route or queue is there but the network's own."""
    assert_none(network.routes_and_rules(record))

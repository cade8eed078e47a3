"""Others that the machine trusts: with commands to its engines, with images, with names of the network."""

from __future__ import annotations

import pytest

from testsuites.audit import trust
from testsuites.audit.configured import Configured
from testsuites.audit.finding import assert_none
from testsuites.audit.proofs import broken_packages
from testsuites.audit.record import Record

pytestmark = pytest.mark.kola(tags=["audit", "network"])


@pytest.mark.kola()
def test_engines(record: Record, configured: Configured) -> None:
    """No container engine, once it is started, takes commands from the network without TLS."""
    assert_none(trust.engine_commands(record, configured))


@pytest.mark.kola()
def test_registries(record: Record, configured: Configured) -> None:
    """No image comes from a registry or mirror without TLS."""
    assert_none(trust.registries(record, configured))


@pytest.mark.kola()
def test_authorities(record: Record, configured: Configured) -> None:
    """No certificate authority is trusted but those of the build's package, and none by SSH's client."""
    assert_none(broken_packages(record) or trust.authorities(record, configured))


@pytest.mark.kola()
def test_proxies(record: Record, configured: Configured) -> None:
    """Nothing goes through a proxy: one that a build needed is in the way of all who use it."""
    assert_none(trust.proxies(record, configured))

"""Fixed addresses and names of services on the guests' first network."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from harness.platform.base import USER_NETWORK, ServiceNetwork

DOMAIN = "kola.test"
_EACH = 10


class Kind(Enum):
    """A kind of service: its name and the last byte of the first one's address; the others follow."""

    HTTP = ("http", 100)
    HTTPS = ("https", 110)
    REGISTRY = ("registry", 120)
    RPM = ("rpm", 130)
    DNS = ("dns", 140)


@dataclass(frozen=True)
class ServiceAddress:
    """The address of one service: http.kola.test is at 10.0.2.100, http2.kola.test at 10.0.2.101."""

    name: str
    address: str
    port: int

    @property
    def host(self) -> str:
        """The full name, as in the guest's /etc/hosts."""
        return f"{self.name}.{DOMAIN}"


def service_address(
    kind: Kind, number: int, port: int, network: ServiceNetwork = USER_NETWORK
) -> ServiceAddress:
    """Return the address of service `number` (from 1) of its kind. Raises ValueError above 10."""
    label, first = kind.value
    if not 1 <= number <= _EACH:
        raise ValueError(f"a test can have {_EACH} services of kind {label}, not {number}")
    name = label if number == 1 else f"{label}{number}"
    return ServiceAddress(name, f"{network.prefix}{first + number - 1}", port)


def all_names() -> list[str]:
    """Return every name that a service can have."""
    return [service_address(kind, number, 0).host for kind in Kind for number in range(1, _EACH + 1)]


def all_addresses(network: ServiceNetwork = USER_NETWORK) -> list[str]:
    """Return every address that a service can have."""
    return [
        service_address(kind, number, 0, network).address for kind in Kind for number in range(1, _EACH + 1)
    ]

"""Where guests find services: fixed addresses on their first network, and names for them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

DOMAIN = "kola.test"
TFTP_ADDRESS = "10.0.2.2"
_NETWORK = "10.0.2."
_EACH = 10


class Kind(Enum):
    """A kind of service: its name and the last byte of the first one's address; the others follow."""

    HTTP = ("http", 100)
    HTTPS = ("https", 110)
    REGISTRY = ("registry", 120)
    RPM = ("rpm", 130)


@dataclass(frozen=True)
class Place:
    """Where one service is: http.kola.test is at 10.0.2.100, http2.kola.test at 10.0.2.101."""

    name: str
    address: str
    port: int

    @property
    def host(self) -> str:
        """The full name, in the guest's /etc/hosts."""
        return f"{self.name}.{DOMAIN}"


def place(kind: Kind, number: int, port: int) -> Place:
    """Of the service of this number, from 1, among those of its kind. Raises ValueError above 10."""
    label, first = kind.value
    if not 1 <= number <= _EACH:
        raise ValueError(f"a test can have {_EACH} services of kind {label}, not {number}")
    name = label if number == 1 else f"{label}{number}"
    return Place(name, f"{_NETWORK}{first + number - 1}", port)


def all_names() -> list[str]:
    """Every name a service can have."""
    return [place(kind, number, 0).host for kind in Kind for number in range(1, _EACH + 1)]


def all_addresses() -> list[str]:
    """Every address a service can have."""
    return [place(kind, number, 0).address for kind in Kind for number in range(1, _EACH + 1)]

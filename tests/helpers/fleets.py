"""Fleets of stand-ins: hosts with memory and CPUs, and nothing else."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from harness.errors import InfrastructureError
from harness.platform.base import Capacity
from harness.platform.fleet import Fleet, Member
from harness.platform.hosts import HostEntry

GIB = 1 << 30


@dataclass
class StandInHost:
    """4 GiB, 3 of them available, and 2 CPUs. With `lost`, it does not answer."""

    available: int = 3 * GIB
    total: int = 4 * GIB
    cpus: int = 2
    promised: int = 0
    busy: int = 0
    resident: dict[int, int] = field(default_factory=dict)
    place: str = ""
    lost: str = ""
    refusal: str = ""

    def capacity(self) -> Capacity:
        self._answer()
        return Capacity(self.total, self.available, self.cpus, self.promised, self.busy)

    def resident_memory(self, owners: Iterable[int]) -> dict[int, int]:
        self._answer()
        return {owner: self.resident.get(owner, 0) for owner in owners}

    def refuses(self, spec: object) -> str:
        return self.refusal

    def why_not_connect(self) -> str:
        return ""

    def reconnect(self) -> None:
        self._answer()

    def _answer(self) -> None:
        if self.lost:
            raise InfrastructureError(self.lost, cause="host-lost")


def fleet_of(host: Any, **entry: Any) -> Fleet:
    """A fleet of one host."""
    return Fleet([Member(HostEntry(**entry), host)])


def fleet(**hosts: Any) -> Fleet:
    """A fleet of named hosts, on places of their own unless these say otherwise."""
    members = []
    for name, host in hosts.items():
        host.place = host.place or name
        members.append(Member(HostEntry(uri=f"qemu+tcp://{name}/system", name=name), host))
    return Fleet(members)

"""What a test takes of the host while it runs."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from harness.machine.spec import MachineSpec

OVERHEAD_MIB = 300
"""What a machine takes besides its guest's memory: QEMU itself, and the worker that drives it."""

CPU_SHARE = 4
"""Virtual CPUs a CPU can bear: guests wait a good part of their time, even while booting."""


@dataclass(frozen=True)
class Need:
    """MiB and virtual CPUs of all its machines together, and names that one test only may hold."""

    memory_mib: int = 0
    cpus: int = 0
    names: frozenset[str] = frozenset()

    @classmethod
    def of(
        cls, spec: MachineSpec, count: int = 1, *, ports: Iterable[int] = (), tokens: Iterable[str] = ()
    ) -> Need:
        """`count` machines like `spec`, with all their memory: a clone costs little until its guest
        writes, but nothing keeps the guest from writing everywhere.
        """
        names = frozenset((*(f"port {port}" for port in ports), *tokens))
        return cls(count * (spec.memory_mib + OVERHEAD_MIB), count * spec.cpus, names)

    def __bool__(self) -> bool:
        return bool(self.memory_mib or self.cpus or self.names)

    def beyond(self, granted: Need) -> Need:
        """What of this `granted` does not cover."""
        return Need(
            max(0, self.memory_mib - granted.memory_mib),
            max(0, self.cpus - granted.cpus),
            self.names - granted.names,
        )

    def plus(self, other: Need) -> Need:
        return Need(self.memory_mib + other.memory_mib, self.cpus + other.cpus, self.names | other.names)

    def to_json(self) -> list[Any]:
        return [self.memory_mib, self.cpus, sorted(self.names)]

    @classmethod
    def from_json(cls, data: list[Any]) -> Need:
        memory, cpus, names = data
        return cls(int(memory), int(cpus), frozenset(names))

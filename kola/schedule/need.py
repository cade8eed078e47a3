"""The resources of the host that a test uses while it runs."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from harness.machine.spec import MachineSpec

OVERHEAD_MIB = 300
"""Memory of a machine beyond its guest's: QEMU itself, and the worker that drives it."""

NeedRow = tuple[int, int, tuple[str, ...], int]

CPU_SHARE = 4
"""Virtual CPUs per CPU: guests wait a good part of their time, even while booting."""


@dataclass(frozen=True)
class Need:
    """Resources of a test: MiB and virtual CPUs of all its machines together, names that only one test may
    hold, and the number of machines.
    """

    memory_mib: int = 0
    cpus: int = 0
    names: frozenset[str] = frozenset()
    machines: int = 0

    @classmethod
    def of(
        cls, spec: MachineSpec, count: int = 1, *, ports: Iterable[int] = (), tokens: Iterable[str] = ()
    ) -> Need:
        """Return the need of `count` machines like `spec`, with all their memory.

        A clone costs little until its guest writes, but nothing keeps the guest from writing everywhere.
        """
        names = frozenset((*(f"port {port}" for port in ports), *tokens))
        return cls(count * (spec.memory_mib + OVERHEAD_MIB), count * spec.cpus, names, count)

    def __bool__(self) -> bool:
        return bool(self.memory_mib or self.cpus or self.names)

    def beyond(self, granted: Need) -> Need:
        """Return the part of this need that `granted` does not cover."""
        return Need(
            max(0, self.memory_mib - granted.memory_mib),
            max(0, self.cpus - granted.cpus),
            self.names - granted.names,
            max(0, self.machines - granted.machines),
        )

    def plus(self, other: Need) -> Need:
        return Need(
            self.memory_mib + other.memory_mib,
            self.cpus + other.cpus,
            self.names | other.names,
            self.machines + other.machines,
        )

    def to_row(self) -> NeedRow:
        """Return the need as reservations are written: MiB, CPUs, names, machines."""
        return self.memory_mib, self.cpus, tuple(sorted(self.names)), self.machines

    @classmethod
    def from_row(cls, row: NeedRow) -> Need:
        memory, cpus, names, machines = row
        return cls(memory, cpus, frozenset(names), machines)

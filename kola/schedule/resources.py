"""Reservations of memory, CPUs and names for tests, shared by all runs of this user on this host."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from harness.platform.base import Capacity
from harness.util.jsonfile import JsonFile
from harness.util.paths import cache_root
from harness.util.process_records import ProcessRecords, Record
from kola.schedule import allowance
from kola.schedule.need import CPU_SHARE, Need, NeedRow

_MIB = 1024 * 1024
_SAMPLE_SECONDS = 0.25

ReservationRecord = Record[dict[str, NeedRow]]
_FORMAT = JsonFile(dict[str, NeedRow], "a record of reservations")


class MachineHost(Protocol):
    """The host of the machines, as the platform knows it (harness.platform.base.Platform)."""

    def capacity(self) -> Capacity: ...

    def resident_memory(self, owners: Iterable[int]) -> Mapping[int, int]: ...


@dataclass(frozen=True)
class Refusal:
    """A refusal. `state` changes whenever the grants of others change; `idle` means that nobody holds any."""

    reason: str
    state: int
    idle: bool


@dataclass(frozen=True)
class _Grant:
    owner: int
    label: str
    need: Need


class Resources:
    """The grants of this process.

    They end with it, and count for the processes below `owner`, by default this process.

    Memory is reserved before it is used. The free memory is what the machines' host has available, less the
    part of all grants that their machines have not used yet.
    """

    def __init__(self, host: MachineHost, directory: Path | None = None, *, owner: int = 0) -> None:
        self._owner = owner or os.getpid()
        self._records = ProcessRecords(directory or cache_root() / "reservations", _FORMAT, owner=self._owner)
        self._host = host
        self._own: dict[str, Need] = {}
        self._limit_mib = allowance.allowed_memory() // _MIB
        capacity = host.capacity()
        self._cpus = CPU_SHARE * capacity.cpus
        self._total_mib = min(capacity.total_memory // _MIB, self._limit_mib)
        self._sampled = 0.0
        self._available_mib = 0
        self._resident_mib: dict[int, int] = {}

    def never(self, need: Need) -> str:
        """Return the reason why this host can never meet the need; empty when it can."""
        if need.memory_mib <= self._total_mib:
            return ""
        whose = f"{allowance.LIMIT} allows" if self._total_mib == self._limit_mib else "this host has"
        return f"the test needs {need.memory_mib} MiB of memory, {whose} {self._total_mib} MiB"

    def take(self, label: str, need: Need) -> Refusal | None:
        """Grant `need` to `label`.

        Returns None when granted. Virtual CPUs beyond the host's are not counted.
        """
        if not need:
            return None
        need = Need(need.memory_mib, min(need.cpus, self._cpus), need.names)
        mine = [_Grant(self._owner, own, had) for own, had in self._own.items()]
        reason = self._name_taken(need, mine)
        if reason:
            return Refusal(reason, _state(mine), idle=False)
        with self._records.locked() as records:
            grants = [*_grants(records), *mine]
            reason = self._reason(need, grants)
            if reason:
                return Refusal(reason, _state(grants), not grants)
            self._own[label] = need
            self._write()
        return None

    def release(self, label: str) -> None:
        if self._own.pop(label, None) is not None:
            with self._records.locked():
                self._write()

    def promised(self, label: str) -> bool:
        """Return True when another process holds a grant of this name for our owner."""
        if self._holds(self._records.peek(), label):
            return True
        with self._records.locked() as records:
            return self._holds(records, label)

    def _holds(self, records: list[ReservationRecord], label: str) -> bool:
        return any(grant.owner == self._owner and grant.label == label for grant in _grants(records))

    def close(self) -> None:
        self._own.clear()
        self._records.close()

    def _write(self) -> None:
        self._records.write({label: need.to_row() for label, need in self._own.items()})

    def _reason(self, need: Need, grants: list[_Grant]) -> str:
        taken = self._name_taken(need, grants)
        if taken:
            return taken
        busy = sum(grant.need.cpus for grant in grants)
        if need.cpus and busy + need.cpus > self._cpus:
            return f"{busy} of {self._cpus} virtual CPUs are taken"
        if need.memory_mib:
            free = self._free_mib(grants)
            if need.memory_mib > free:
                return f"{need.memory_mib} MiB of memory are needed, {max(0, free)} MiB are free"
        return ""

    def _name_taken(self, need: Need, grants: list[_Grant]) -> str:
        for grant in grants:
            common = need.names & grant.need.names
            if common:
                return f"{min(common)} is taken by {self._who(grant)}"
        return ""

    def _free_mib(self, grants: list[_Grant]) -> int:
        promised: dict[int, int] = {}
        for grant in grants:
            promised[grant.owner] = promised.get(grant.owner, 0) + grant.need.memory_mib
        self._sample(promised)
        outstanding = sum(max(0, mib - self._resident_mib.get(pid, 0)) for pid, mib in promised.items())
        return min(self._available_mib - outstanding, self._limit_mib - sum(promised.values()))

    def _who(self, grant: _Grant) -> str:
        return grant.label if grant.owner == self._owner else f"{grant.label} of process {grant.owner}"

    def _sample(self, holders: dict[int, int]) -> None:
        """Read available and resident memory at the same moment: together they change slowly."""
        now = time.monotonic()
        if now - self._sampled < _SAMPLE_SECONDS:
            return
        resident = self._host.resident_memory(holders)
        self._resident_mib = {pid: size // _MIB for pid, size in resident.items()}
        self._available_mib = self._host.capacity().available_memory // _MIB
        self._sampled = now


def _grants(records: list[ReservationRecord]) -> Iterator[_Grant]:
    for record in records:
        for label, row in record.content.items():
            yield _Grant(record.owner, label, Need.from_row(row))


def _state(grants: list[_Grant]) -> int:
    return hash(frozenset((grant.owner, grant.label) for grant in grants))

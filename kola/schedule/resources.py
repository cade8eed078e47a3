"""Reservations of memory, CPUs and names for tests, shared by all runs of this user on this host."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from harness.errors import InfrastructureError
from harness.platform.base import Capacity
from harness.platform.fleet import Fleet, Member
from harness.util.jsonfile import JsonFile
from harness.util.paths import cache_root
from harness.util.process_records import ProcessRecords, Record
from kola.schedule import allowance
from kola.schedule.need import CPU_SHARE, Need, NeedRow

_MIB = 1024 * 1024
_SAMPLE_SECONDS = 0.25

GrantRow = tuple[NeedRow, str, str]
"""A need, and the key and the place of the host on which it is granted."""

ReservationRecord = Record[dict[str, GrantRow]]
_FORMAT = JsonFile(dict[str, GrantRow], "a record of reservations")


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
    host: str
    place: str

    def to_row(self) -> GrantRow:
        return self.need.to_row(), self.host, self.place


@dataclass(frozen=True)
class _Sample:
    """Memory and CPUs of a place at one moment; `resident` is in MiB, by owner."""

    capacity: Capacity
    resident: dict[int, int]
    taken_at: float


@dataclass(frozen=True)
class _Room:
    """The room for a need on one host: how many times it fits, or the `reason` why it does not."""

    member: Member
    times: float
    holders: int
    reason: str = ""


class Resources:
    """The grants of this process, each on one host of the fleet.

    They end with it, and count for the processes below `owner`, by default this process.

    Memory is reserved before it is used. The free memory is what the machines' host has available, less the
    part of all grants that their machines have not used yet.
    """

    def __init__(self, fleet: Fleet, directory: Path | None = None, *, owner: int = 0) -> None:
        self._owner = owner or os.getpid()
        self._records = ProcessRecords(directory or cache_root() / "reservations", _FORMAT, owner=self._owner)
        self._fleet = fleet
        self._own: dict[str, _Grant] = {}
        self._limit_mib = allowance.allowed_memory() // _MIB
        self._samples: dict[str, _Sample] = {}

    @property
    def over(self) -> str:
        """The reason why nothing will be granted any more; empty as long as a host is left."""
        return self._fleet.over

    def never(self, need: Need) -> str:
        """Return the reason why no host can ever meet the need; empty when one can."""
        if not need.memory_mib:
            return ""
        totals = [total for member in self._fleet.usable() if (total := self._total_mib(member)) is not None]
        if not totals or need.memory_mib <= (most := max(totals)):
            return ""
        whose = "this host has" if len(self._fleet.members) == 1 else "no host has more than"
        if most == self._limit_mib:
            whose = f"{allowance.LIMIT} allows"
        return f"the test needs {need.memory_mib} MiB of memory, {whose} {most} MiB"

    def take(self, label: str, need: Need, avoid: frozenset[str] = frozenset()) -> Refusal | None:
        """Grant `need` to `label`, on the host with most room whose key is not among those to `avoid`.

        Returns None when granted. Virtual CPUs beyond a host's are not counted.
        """
        if not need:
            return None
        mine = list(self._own.values())
        reason = self._name_taken(need, mine)
        if reason:
            return Refusal(reason, _state(mine), idle=False)
        members = [member for member in self._fleet.usable() if member.key not in avoid]
        with self._records.locked() as records:
            grants = [*_grants(records), *mine]
            reason = self._name_taken(need, grants)
            if reason:
                return Refusal(reason, _state(grants), not grants)
            rooms = [room for member in members if (room := self._room(member, need, grants)) is not None]
            fitting = [room for room in rooms if not room.reason]
            if not fitting:
                return Refusal(_why_not(rooms), _state(grants), not grants)
            best = max(fitting, key=lambda room: (room.times, -room.holders)).member
            self._own[label] = _Grant(self._owner, label, need, best.key, best.platform.place)
            self._write()
        return None

    def release(self, label: str) -> None:
        if self._own.pop(label, None) is not None:
            with self._records.locked():
                self._write()

    def host_of(self, label: str) -> str | None:
        """Return the key of the host on which our owner, or this process, has a grant of this name."""
        if label in self._own:
            return self._own[label].host
        found = self._find(self._records.peek(), label)
        if found is None:
            with self._records.locked() as records:
                found = self._find(records, label)
        return found

    def _find(self, records: list[ReservationRecord], label: str) -> str | None:
        found = (g.host for g in _grants(records) if g.owner == self._owner and g.label == label)
        return next(found, None)

    def close(self) -> None:
        self._own.clear()
        self._records.close()

    def _write(self) -> None:
        self._records.write({label: grant.to_row() for label, grant in self._own.items()})

    def _room(self, member: Member, need: Need, grants: Sequence[_Grant]) -> _Room | None:
        """Return the room that the host has for the need; None when it does not answer."""
        on_it = [grant for grant in grants if grant.host == member.key]
        room = _Room(member, float("inf"), len(on_it))
        most = member.entry.machines
        running = sum(grant.need.machines for grant in on_it)
        if most is not None and running + need.machines > most:
            return replace(room, reason=f"{running} of at most {most} machines run")
        if not need.memory_mib and not need.cpus:
            return room
        here = [grant for grant in grants if grant.place == member.platform.place]
        sample = self._sample(member, here)
        if sample is None:
            return None
        if need.cpus:
            cpus = CPU_SHARE * sample.capacity.cpus
            wanted = min(need.cpus, cpus)
            busy = sum(min(grant.need.cpus, cpus) for grant in here)
            if busy + wanted > cpus:
                return replace(room, reason=f"{busy} of {cpus} virtual CPUs are taken")
            # Machines of others may be idle: they make a host the later choice, and bar nobody.
            room = replace(room, times=(cpus - busy - sample.capacity.busy_cpus) / wanted)
        if need.memory_mib:
            free = self._free_mib(member, sample, grants, here, on_it)
            if need.memory_mib > free:
                text = f"{need.memory_mib} MiB of memory are needed, {max(0, free)} MiB are free"
                return replace(room, reason=text)
            room = replace(room, times=min(room.times, free / need.memory_mib))
        return room

    def _name_taken(self, need: Need, grants: Sequence[_Grant]) -> str:
        for grant in grants:
            common = need.names & grant.need.names
            if common:
                return f"{min(common)} is taken by {self._who(grant)}"
        return ""

    def _free_mib(
        self,
        member: Member,
        sample: _Sample,
        grants: Sequence[_Grant],
        here: Sequence[_Grant],
        on_it: Sequence[_Grant],
    ) -> int:
        granted: dict[int, int] = {}
        for grant in here:
            granted[grant.owner] = granted.get(grant.owner, 0) + grant.need.memory_mib
        outstanding = sum(max(0, mib - sample.resident.get(pid, 0)) for pid, mib in granted.items())
        capacity = sample.capacity
        free = (capacity.available_memory - capacity.promised_memory) // _MIB - outstanding
        if member.entry.memory is not None:
            free = min(free, member.entry.memory - sum(grant.need.memory_mib for grant in on_it))
        return min(free, self._limit_mib - sum(grant.need.memory_mib for grant in grants))

    def _who(self, grant: _Grant) -> str:
        return grant.label if grant.owner == self._owner else f"{grant.label} of process {grant.owner}"

    def _total_mib(self, member: Member) -> int | None:
        sample = self._sample(member, [])
        if sample is None:
            return None
        own = member.entry.memory
        total = min(sample.capacity.total_memory // _MIB, self._limit_mib)
        return total if own is None else min(total, own)

    def _sample(self, member: Member, here: Sequence[_Grant]) -> _Sample | None:
        """Read available and resident memory at the same moment: together they change slowly.

        Daemons of one place report the same memory, each with the machines of its own.
        """
        place, now = member.platform.place, time.monotonic()
        known = self._samples.get(place)
        holders = {grant.owner for grant in here}
        if known is not None and now - known.taken_at < _SAMPLE_SECONDS and holders <= set(known.resident):
            return known
        readings: list[Capacity] = []
        resident = dict.fromkeys(holders, 0)
        for one in self._fleet.usable():
            if one.platform.place != place:
                continue
            try:
                held = one.platform.resident_memory(holders)
                readings.append(one.platform.capacity())
            except InfrastructureError as error:
                self._fleet.lose(one, str(error))
                continue
            resident = {pid: max(mib, held.get(pid, 0) // _MIB) for pid, mib in resident.items()}
        if not readings or member not in self._fleet.usable():
            return None
        made = _Sample(_together(readings), resident, now)
        self._samples[place] = made
        return made


def _together(readings: Sequence[Capacity]) -> Capacity:
    return Capacity(
        min(one.total_memory for one in readings),
        min(one.available_memory for one in readings),
        min(one.cpus for one in readings),
        sum(one.promised_memory for one in readings),
        sum(one.busy_cpus for one in readings),
    )


def _why_not(rooms: Sequence[_Room]) -> str:
    if not rooms:
        return "no host for this test answers"
    if len(rooms) == 1:
        return rooms[0].reason
    return "; ".join(f"{room.member.name}: {room.reason}" for room in rooms)


def _grants(records: Sequence[ReservationRecord]) -> Iterator[_Grant]:
    for record in records:
        for label, (row, host, place) in record.content.items():
            yield _Grant(record.owner, label, Need.from_row(row), host, place)


def _state(grants: Sequence[_Grant]) -> int:
    return hash(frozenset((grant.owner, grant.label) for grant in grants))

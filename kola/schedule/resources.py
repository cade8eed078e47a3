"""Reservations of memory, CPUs and names for tests, shared by all runs of this user on this host."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.platform.fleet import Fleet
from harness.util.jsonfile import JsonFile
from harness.util.paths import cache_root
from harness.util.process_records import ProcessRecords, Record
from kola.schedule import allowance
from kola.schedule.grants import Grant, GrantRow
from kola.schedule.need import Need
from kola.schedule.room import Room, Rooms, lacking

_MIB = 1024 * 1024

ReservationRecord = Record[dict[str, GrantRow]]
_FORMAT = JsonFile(dict[str, GrantRow], "a record of reservations")


@dataclass(frozen=True)
class Refusal:
    """A refusal. `state` changes whenever the grants of others change; `idle` means that nobody holds any."""

    reason: str
    state: int
    idle: bool


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
        self._rooms = Rooms(fleet)
        self._own: dict[str, Grant] = {}
        self._limit_mib = allowance.allowed_memory() // _MIB

    @property
    def over(self) -> str:
        """The reason why nothing will be granted any more; empty as long as a host is left."""
        return self._fleet.over

    def never(self, need: Need) -> str:
        """Return the reason why no host can ever meet the need; empty when one can."""
        if not need.memory_mib:
            return ""
        if need.memory_mib > self._limit_mib:
            return _too_much(need, f"{allowance.LIMIT} allows", self._limit_mib)
        totals = [self._rooms.total_mib(member) for member in self._fleet.usable()]
        most = max((total for total in totals if total is not None), default=need.memory_mib)
        if need.memory_mib <= most:
            return ""
        return _too_much(need, "this host has" if len(totals) == 1 else "no host has more than", most)

    def take(self, label: str, need: Need, avoid: frozenset[str] = frozenset()) -> Refusal | None:
        """Grant `need` to `label`, on the host with most room whose key is not among those to `avoid`.

        Returns None when granted.
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
            reason = self._name_taken(need, grants) or self._beyond_limit(need, grants)
            if reason:
                return Refusal(reason, _state(grants), not grants)
            found = [self._rooms.room(member, need, grants) for member in members]
            rooms = [room for room in found if room is not None]
            fitting = [room for room in rooms if not room.reason]
            if not fitting:
                return Refusal(_why_not(rooms), _state(grants), not grants)
            best = max(fitting, key=lambda room: (room.times, -room.holders)).member
            self._own[label] = Grant(self._owner, label, need, best.key, best.platform.place)
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

    def _name_taken(self, need: Need, grants: Sequence[Grant]) -> str:
        for grant in grants:
            common = need.names & grant.need.names
            if common:
                return f"{min(common)} is taken by {self._who(grant)}"
        return ""

    def _beyond_limit(self, need: Need, grants: Sequence[Grant]) -> str:
        left = self._limit_mib - sum(grant.need.memory_mib for grant in grants)
        return lacking(need, left) if need.memory_mib > max(0, left) else ""

    def _who(self, grant: Grant) -> str:
        return grant.label if grant.owner == self._owner else f"{grant.label} of process {grant.owner}"


def _too_much(need: Need, whose: str, most: int) -> str:
    return f"the test needs {need.memory_mib} MiB of memory, {whose} {most} MiB"


def _why_not(rooms: Sequence[Room]) -> str:
    if not rooms:
        return "no host for this test answers"
    if len(rooms) == 1:
        return rooms[0].reason
    return "; ".join(f"{room.member.name}: {room.reason}" for room in rooms)


def _grants(records: Sequence[ReservationRecord]) -> Iterator[Grant]:
    for record in records:
        for label, row in record.content.items():
            yield Grant.from_row(record.owner, label, row)


def _state(grants: Sequence[Grant]) -> int:
    return hash(frozenset((grant.owner, grant.label) for grant in grants))

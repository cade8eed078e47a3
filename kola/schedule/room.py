"""The room that each host has for a need, from what the host reports and what has been granted."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

from harness.errors import DeadlineExceeded, InfrastructureError
from harness.platform.base import Capacity
from harness.platform.fleet import Fleet, Member
from kola.schedule.grants import Grant
from kola.schedule.need import CPU_SHARE, Need

_MIB = 1024 * 1024
_SAMPLE_SECONDS = 0.25


@dataclass(frozen=True)
class Room:
    """The room for a need on one host: how many times it fits, or the `reason` why it does not.

    `holders` is the number of grants there.
    """

    member: Member
    times: float
    holders: int
    reason: str = ""


@dataclass(frozen=True)
class _Sample:
    """Memory and CPUs of a place at one moment; `resident` is in MiB, by owner."""

    capacity: Capacity
    resident: dict[int, int]
    taken_at: float


class Rooms:
    """The rooms of a fleet's hosts. A host that does not answer is lost."""

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet
        self._samples: dict[str, _Sample] = {}

    def room(self, member: Member, need: Need, grants: Sequence[Grant]) -> Room | None:
        """Return the room on this host beside all grants; None when it does not answer."""
        on_it = [grant for grant in grants if grant.host == member.key]
        room = Room(member, float("inf"), len(on_it))
        most, running = member.entry.machines, sum(grant.need.machines for grant in on_it)
        if most is not None and running + need.machines > most:
            return replace(room, reason=f"{running} of at most {most} machines run")
        if not need.memory_mib and not need.cpus:
            return room
        place = self._place(member)
        here = [grant for grant in grants if grant.place == place]
        sample = None if place is None else self._sample(member, place, here)
        if sample is None:
            return None
        if need.cpus:
            room = _beside_cpus(room, need, here, sample.capacity)
        if need.memory_mib and not room.reason:
            room = _beside_memory(room, need, _free_mib(member, sample, here, on_it))
        return room

    def total_mib(self, member: Member) -> int | None:
        """Return the most memory that machines can have on this host; None when it does not answer."""
        place = self._place(member)
        sample = None if place is None else self._sample(member, place, [])
        if sample is None:
            return None
        total, most = sample.capacity.total_memory // _MIB, member.entry.memory
        return total if most is None else min(total, most)

    def _place(self, member: Member) -> str | None:
        try:
            return member.platform.place
        except (InfrastructureError, DeadlineExceeded) as error:
            self._fleet.lose(member, str(error))
            return None

    def _sample(self, member: Member, place: str, here: Sequence[Grant]) -> _Sample | None:
        """Read available and resident memory at the same moment: together they change slowly.

        Daemons of one place report the same memory, each with the machines of its own.
        """
        now, holders = time.monotonic(), {grant.owner for grant in here}
        known = self._samples.get(place)
        if known is not None and now - known.taken_at < _SAMPLE_SECONDS and holders <= set(known.resident):
            return known
        readings: list[Capacity] = []
        resident = dict.fromkeys(holders, 0)
        for one in self._fleet.usable():
            if self._place(one) != place:
                continue
            try:
                held = one.platform.resident_memory(holders)
                readings.append(one.platform.capacity())
            except (InfrastructureError, DeadlineExceeded) as error:
                self._fleet.lose(one, str(error))
                continue
            resident = {pid: max(mib, held.get(pid, 0) // _MIB) for pid, mib in resident.items()}
        if not readings or member not in self._fleet.usable():
            return None
        made = self._samples[place] = _Sample(_together(readings), resident, now)
        return made


def _beside_cpus(room: Room, need: Need, here: Sequence[Grant], capacity: Capacity) -> Room:
    """Return the room as far as CPUs go. Virtual CPUs beyond the host's are not counted."""
    cpus = CPU_SHARE * capacity.cpus
    wanted, busy = min(need.cpus, cpus), sum(min(grant.need.cpus, cpus) for grant in here)
    if busy + wanted > cpus:
        return replace(room, reason=f"{busy} of {cpus} virtual CPUs are taken")
    # Machines of others may be idle: they make a host the later choice, and bar nobody.
    return replace(room, times=(cpus - busy - capacity.busy_cpus) / wanted)


def _beside_memory(room: Room, need: Need, free: int) -> Room:
    if need.memory_mib > free:
        return replace(room, reason=lacking(need, free))
    return replace(room, times=min(room.times, free / need.memory_mib))


def _free_mib(member: Member, sample: _Sample, here: Sequence[Grant], on_it: Sequence[Grant]) -> int:
    granted: dict[int, int] = {}
    for grant in here:
        granted[grant.owner] = granted.get(grant.owner, 0) + grant.need.memory_mib
    outstanding = sum(max(0, mib - sample.resident.get(pid, 0)) for pid, mib in granted.items())
    capacity = sample.capacity
    free = (capacity.available_memory - capacity.promised_memory) // _MIB - outstanding
    if member.entry.memory is None:
        return free
    return min(free, member.entry.memory - sum(grant.need.memory_mib for grant in on_it))


def lacking(need: Need, free: int) -> str:
    """Return the reason for a refusal for lack of memory."""
    return f"{need.memory_mib} MiB of memory are needed, {max(0, free)} MiB are free"


def _together(readings: Sequence[Capacity]) -> Capacity:
    return Capacity(
        min(one.total_memory for one in readings),
        min(one.available_memory for one in readings),
        min(one.cpus for one in readings),
        sum(one.promised_memory for one in readings),
        sum(one.busy_cpus for one in readings),
    )

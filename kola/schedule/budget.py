"""The number of tests that run at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from harness.platform.fleet import Member
from kola.run.plan import RunPlan
from kola.schedule.allowance import allowed_memory
from kola.schedule.need import CPU_SHARE, OVERHEAD_MIB

_MIB = 1024 * 1024


def workers(wanted: int | Literal["auto"], plan: RunPlan, members: Sequence[Member]) -> int:
    """Return the number of workers for `--parallel`: as typed, or with `auto` as many as all hosts have CPUs.

    The number is limited by the machines of default size that memory can hold, by CPU_SHARE for each CPU, and
    by the number of tests.
    """
    each = plan.base_spec().memory_mib + OVERHEAD_MIB
    rooms = [_room(list(group), each) for group in _by_place(members).values()]
    cpus, fit = sum(room[0] for room in rooms), sum(room[1] for room in rooms)
    count = cpus if wanted == "auto" else wanted
    fit = min(fit, allowed_memory() // (each * _MIB))
    return max(1, min(count, fit, CPU_SHARE * cpus, max(1, len(plan.tests))))


def _by_place(members: Sequence[Member]) -> dict[str, list[Member]]:
    """Return the hosts that share memory and CPUs together."""
    places: dict[str, list[Member]] = {}
    for member in members:
        places.setdefault(member.platform.place, []).append(member)
    return places


def _room(members: Sequence[Member], each: int) -> tuple[int, int]:
    """Return the CPUs of one place, and the number of machines of `each` MiB for which it has memory."""
    capacities = [member.platform.capacity() for member in members]
    promised = sum(capacity.promised_memory for capacity in capacities)
    free = (min(capacity.available_memory for capacity in capacities) - promised) // _MIB
    most = [_most(member, each) for member in members]
    limits = [limit for limit in most if limit is not None]
    fit = free // each if len(limits) < len(members) else min(free // each, sum(limits))
    cpus = min(capacity.cpus for capacity in capacities)
    return min(cpus, sum(limits)) if len(limits) == len(members) else cpus, max(0, fit)


def _most(member: Member, each: int) -> int | None:
    """Return the most machines that the pool's file allows on this host; None without a limit."""
    entry = member.entry
    limits = [entry.machines, None if entry.memory is None else entry.memory // each]
    return min((limit for limit in limits if limit is not None), default=None)

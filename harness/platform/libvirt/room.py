"""The resources of a daemon's host, as libvirt reports them: its memory, its CPUs, and the machines there."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from harness.platform.base import Capacity
from harness.platform.libvirt.library import ask, load
from harness.platform.libvirt.owners import METADATA_ELEMENT, NAMESPACE, Owner, process_space
from harness.util import host
from harness.util.deadline import Deadline

OVERHEAD = 300 << 20
"""Bytes that QEMU, and the worker that drives it, take beyond the guest's memory, as needs count them."""

_ACTIVE = 1  # libvirt's VIR_CONNECT_GET_ALL_DOMAINS_STATS_ACTIVE
_ALL_CELLS = -1
_STATS = 2 | 4 | 8  # libvirt's VIR_DOMAIN_STATS_CPU_TOTAL, _BALLOON and _VCPU
_ANSWER_SECONDS = 10.0
_KIB = 1024


@dataclass(frozen=True)
class RunningMachine:
    """A domain that runs.

    Its number grows with each start; bytes that it may have, and has; virtual CPUs; an owner if it is kola's.
    """

    number: int
    most: int
    resident: int
    cpus: int
    owner: Owner | None


def capacity(handle: Any) -> Capacity:
    """Return the host's resources. Memory that caches hold can be had. Raises InfrastructureError."""
    memory, cpus, running = ask(
        "asking for its memory",
        lambda: (handle.getMemoryStats(_ALL_CELLS, 0), int(handle.getInfo()[2]), machines(handle)),
        deadline=Deadline(_ANSWER_SECONDS),
    )
    return Capacity(
        total_memory=int(memory.get("total", 0)) * _KIB,
        available_memory=_free(memory),
        cpus=cpus,
        promised_memory=sum(max(0, machine.most - machine.resident) for machine in running),
        busy_cpus=sum(machine.cpus for machine in running if not _ours(machine.owner)),
    )


def fits(handle: Any, number: int) -> bool:
    """Return True when the host has memory for the domain of this number and all that were started before.

    Of runs that have seen the same free memory, and do not know of each other, the first has it. Raises
    InfrastructureError.
    """
    memory, running = ask(
        "asking for its memory",
        lambda: (handle.getMemoryStats(_ALL_CELLS, 0), machines(handle)),
        deadline=Deadline(_ANSWER_SECONDS),
    )
    promised = sum(max(0, one.most - one.resident) for one in running if one.number <= number)
    return promised <= _free(memory)


def counted_for(handle: Any, owners: Iterable[int]) -> dict[int, int]:
    """Return, for each process of this host, the bytes that `capacity` counts for machines that it and its
    descendants have started. Raises InfrastructureError.
    """
    wanted = list(owners)
    running = ask("asking for its machines", lambda: machines(handle), deadline=Deadline(_ANSWER_SECONDS))
    held: dict[int, int] = {}
    for machine in running:
        if machine.owner is not None and _ours(machine.owner):
            pid = machine.owner.pid
            held[pid] = held.get(pid, 0) + max(machine.most, machine.resident) + OVERHEAD
    below = host.descendants(wanted)
    return {owner: sum(held.get(pid, 0) for pid in (owner, *below[owner])) for owner in wanted}


def machines(handle: Any) -> list[RunningMachine]:
    """Return the machines that run, whoever started them."""
    found = []
    for domain, stats in handle.getAllDomainStats(_STATS, _ACTIVE):
        most = int(stats.get("balloon.maximum", stats.get("balloon.current", 0))) * _KIB
        resident = int(stats.get("balloon.rss", 0)) * _KIB
        cpus = int(stats.get("vcpu.current", 1))
        found.append(RunningMachine(domain.ID(), most, resident, cpus, _owner(domain)))
    return found


def _free(memory: dict[str, int]) -> int:
    """Return the bytes that can be had: those of caches, too."""
    return sum(int(memory.get(key, 0)) for key in ("free", "buffers", "cached")) * _KIB


def _owner(domain: Any) -> Owner | None:
    with contextlib.suppress(load().libvirtError):  # it is not kola's, or ends meanwhile
        return Owner.parse(domain.metadata(METADATA_ELEMENT, NAMESPACE, 0))
    return None


def _ours(owner: Owner | None) -> bool:
    """Return True for a process of this user on this host: its needs are reserved where we look."""
    return owner is not None and (owner.host, owner.uid) == (process_space(), os.geteuid())

"""Promises of memory, CPUs and names to tests, kept between all runs of this user on this host."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.util.paths import cache_root
from harness.util.roster import Note, Roster
from kola.schedule import host
from kola.schedule.need import CPU_SHARE, Need

_MIB = 1024 * 1024
_SAMPLE_SECONDS = 0.25


@dataclass(frozen=True)
class Refusal:
    """Why not now. `state` changes whenever what others hold does; `idle` is "nobody holds anything"."""

    reason: str
    state: int
    idle: bool


@dataclass(frozen=True)
class _Grant:
    owner: int
    label: str
    need: Need


class Resources:
    """Grants live as long as the process that took them, and no longer. They count as those of `owner`,
    by default this process: what runs below it is what makes use of them.

    Memory is promised before it is used. What is still free is what the host has available, less the
    part of all promises that their machines have not taken yet.
    """

    def __init__(self, directory: Path | None = None, *, owner: int = 0, root: Path = Path("/")) -> None:
        self._owner = owner or os.getpid()
        self._roster = Roster(directory or cache_root() / "reservations", owner=self._owner)
        self._root = root
        self._own: dict[str, Need] = {}
        self._limit_mib = host.allowed_memory() // _MIB
        self._cpus = CPU_SHARE * host.cpus(root)
        self._total_mib = min(host.total_memory(root) // _MIB, self._limit_mib)
        self._sampled = 0.0
        self._available_mib = 0
        self._resident_mib: dict[int, int] = {}

    def never(self, need: Need) -> str:
        """Why this host can never meet the need; empty when it can."""
        if need.memory_mib <= self._total_mib:
            return ""
        whose = f"{host.LIMIT} allows" if self._total_mib == self._limit_mib else "this host has"
        return f"the test needs {need.memory_mib} MiB of memory, {whose} {self._total_mib} MiB"

    def take(self, label: str, need: Need) -> Refusal | None:
        """Promise `need` to `label`; None when that is done. Virtual CPUs beyond the host's are let off."""
        if not need:
            return None
        need = Need(need.memory_mib, min(need.cpus, self._cpus), need.names)
        mine = [_Grant(self._owner, own, had) for own, had in self._own.items()]
        reason = self._name_taken(need, mine)
        if reason:
            return Refusal(reason, _state(mine), idle=False)
        with self._roster.turn() as notes:
            grants = [*_grants(notes), *mine]
            reason = self._reason(need, grants)
            if reason:
                return Refusal(reason, _state(grants), not grants)
            self._own[label] = need
            self._write()
        return None

    def release(self, label: str) -> None:
        if self._own.pop(label, None) is not None:
            with self._roster.turn():
                self._write()

    def promised(self, label: str) -> bool:
        """Whether another process holds a grant of this name for our owner."""
        if self._holds(self._roster.glance(), label):
            return True
        with self._roster.turn() as notes:
            return self._holds(notes, label)

    def _holds(self, notes: list[Note], label: str) -> bool:
        return any(grant.owner == self._owner and grant.label == label for grant in _grants(notes))

    def close(self) -> None:
        self._own.clear()
        self._roster.close()

    def _write(self) -> None:
        self._roster.write({label: need.to_json() for label, need in self._own.items()})

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
        """Available and resident memory of one moment: together they change slowly."""
        now = time.monotonic()
        if now - self._sampled < _SAMPLE_SECONDS:
            return
        resident = host.resident_memory(holders, self._root)
        self._resident_mib = {pid: size // _MIB for pid, size in resident.items()}
        self._available_mib = host.available_memory(self._root) // _MIB
        self._sampled = now


def _grants(notes: list[Note]) -> Iterator[_Grant]:
    for note in notes:
        content: dict[str, Any] = note.content
        for label, need in content.items():
            yield _Grant(note.owner, label, Need.from_json(need))


def _state(grants: list[_Grant]) -> int:
    return hash(frozenset((grant.owner, grant.label) for grant in grants))

"""The resources that a process and its children hold at one instant, read from the kernel."""

from __future__ import annotations

import gc
import os
import time
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

MARK = "KOLA_CENSUS"
"""An environment variable: whoever has inherited its value belongs to us, however often it forked."""


def new_mark() -> str:
    return uuid.uuid4().hex


def marked(mark: str) -> dict[int, str]:
    """Living processes other than this one that carry `mark`: command lines by process id."""
    wanted = f"{MARK}={mark}".encode()
    found = {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        try:
            if wanted in (entry / "environ").read_bytes().split(b"\0"):
                words = (entry / "cmdline").read_bytes().split(b"\0")
                found[int(entry.name)] = b" ".join(words).decode(errors="replace")[:120]
        except OSError:
            continue  # it has ended meanwhile, or is another user's
    return found


def children(*, dead: bool = False) -> list[int]:
    """Living children of this process; the `dead` ones are zombies that nobody has reaped."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            state, parent = (entry / "stat").read_text().rpartition(")")[2].split()[:2]
        except (OSError, ValueError):
            continue
        if int(parent) == os.getpid() and (state == "Z") is dead:
            found.append(int(entry.name))
    return found


def files(places: Iterable[Path]) -> list[str]:
    """The paths of all files below these directories."""
    return [str(path) for place in places for path in place.rglob("*")]


def listening(port: int) -> bool:
    """Return True when a process listens on 127.0.0.1:`port` (proc(5), /proc/net/tcp)."""
    rows = (line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:])
    return any(row[3] == "0A" and row[1] == f"0100007F:{port:04X}" for row in rows)


def resident_kib() -> int:
    """This process's resident memory (VmRSS)."""
    return _kib(Path("/proc/self/status"), "VmRSS")


def proportional_kib(pid: int) -> int:
    """A process's memory, what it shares with others divided among them (Pss, smaps_rollup)."""
    return _kib(Path(f"/proc/{pid}/smaps_rollup"), "Pss")


def private_kib(pid: int) -> int:
    """Memory that ending the process would free: pages no other process maps."""
    rollup = Path(f"/proc/{pid}/smaps_rollup")
    return _kib(rollup, "Private_Clean") + _kib(rollup, "Private_Dirty")


def _kib(path: Path, key: str) -> int:
    for line in path.read_text().splitlines():
        name, _, rest = line.partition(":")
        if name == key:
            return int(rest.split()[0])
    raise KeyError(key)


@dataclass(frozen=True)
class Census:
    """A set of held resources, one word each; `more_than` compares two."""

    held: frozenset[str]

    @classmethod
    def take(cls, mark: str, places: Iterable[Path]) -> Census:
        """Processes, zombies, threads and descriptors of ours, and files in `places`."""
        held = {f"process {pid}: {command}" for pid, command in marked(mark).items()}
        held |= {f"zombie {pid}" for pid in children(dead=True)}
        held |= {f"file {path}" for path in files(places)}
        for task in Path("/proc/self/task").iterdir():
            held.add(f"thread {task.name} {(task / 'comm').read_text().strip()}")
        for entry in Path("/proc/self/fd").iterdir():
            try:
                held.add(f"descriptor {entry.name} -> {os.readlink(entry)}")  # noqa: PTH115
            except FileNotFoundError:
                continue  # the one this loop reads by
        return cls(frozenset(held))

    def more_than(self, before: Census) -> list[str]:
        return sorted(self.held - before.held)


def left_after(before: Census, mark: str, places: Iterable[Path], *, patience: float) -> list[str]:
    """The resources held beyond `before` after waiting `patience` seconds for them to go."""
    places = list(places)
    end = time.monotonic() + patience
    while True:
        gc.collect()
        left = Census.take(mark, places).more_than(before)
        if not left or time.monotonic() > end:
            return left
        time.sleep(0.02)

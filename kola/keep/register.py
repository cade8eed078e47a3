"""The register of kept machines: one locked file for each keeper, one directory for each machine.

A keeper that ends, even by SIGKILL, loses its lock, and with it its records: its machines died with it. The
next reader removes its directories.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path

from harness.errors import ConfigError
from harness.util.jsonfile import JsonFile
from harness.util.paths import state_root, unusable_state
from harness.util.process_records import ProcessRecords, Record
from harness.util.suggest import did_you_mean
from kola.keep.record import Kept

LATEST = "latest"
_FORMAT = JsonFile(list[Kept], "a record of kept machines")
_NAME = re.compile(r"m([1-9][0-9]*)")


def machines_root() -> Path:
    """Return the directory of the register. Raises ConfigError without a home."""
    return state_root() / "machines"


def kept_machines() -> list[Kept]:
    """Return all kept machines of this user, oldest first, and remove remains of dead keepers.

    Raises ConfigError.
    """
    root = machines_root()
    try:
        if not root.is_dir():
            return []
        with _records(root, owner=os.getpid()).locked() as others:
            found = _machines(others)
            _reap(root, found)
    except PermissionError as error:  # another user's, as after `sudo -E`
        raise unusable_state(root, error) from None
    return found


def find(name: str | None) -> Kept:
    """Return the machine of this name; the youngest for None and `latest`. Raises ConfigError."""
    machines = kept_machines()
    if not machines:
        raise ConfigError("no machine is kept", hint="start one with kola spawn")
    if name is None or name == LATEST:
        return machines[-1]
    for machine in machines:
        if machine.name == name:
            return machine
    names = [machine.name for machine in machines]
    raise ConfigError(
        f"there is no machine {name!r}",
        hint=did_you_mean(name, names) or f"kept: {', '.join(names)}",
    )


class Register:
    """The part of the register that belongs to one keeper."""

    def __init__(self) -> None:
        self._root = machines_root()
        self._root.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.pid = os.getpid()
        self._records = _records(self._root, owner=self.pid)
        self._own: dict[str, Kept] = {}

    @property
    def own(self) -> list[Kept]:
        return list(self._own.values())

    def add(self, count: int, make: Callable[[str, Path], Kept]) -> list[Kept]:
        """Register `count` machines under the lowest free names. `make` receives a name and a directory."""
        added = []
        with self._records.locked() as others:
            known = _machines(others) + self.own
            _reap(self._root, known)
            taken = {machine.name for machine in known}
            for _ in range(count):
                name = next(
                    name for number in range(1, len(taken) + 2) if (name := f"m{number}") not in taken
                )
                taken.add(name)
                added.append(make(name, self._root / name))
            self._own |= {machine.name: machine for machine in added}
            self._write()
            for machine in added:
                machine.home.mkdir(mode=0o700)
        return added

    def update(self, machine: Kept) -> None:
        """Replace the record of a machine of this keeper."""
        with self._records.locked():
            self._own[machine.name] = machine
            self._write()

    def remove(self, name: str) -> None:
        """Forget a machine of this keeper, and remove its directory. May be called again."""
        with self._records.locked():
            machine = self._own.pop(name, None)
            if machine is not None:
                shutil.rmtree(machine.home, ignore_errors=True)
            self._write()

    def close(self) -> None:
        """Forget all machines of this keeper."""
        for name in list(self._own):
            self.remove(name)
        self._records.close()

    def _write(self) -> None:
        self._records.write(self.own)


def _records(root: Path, *, owner: int) -> ProcessRecords[list[Kept]]:
    return ProcessRecords(root, _FORMAT, owner=owner)


def _machines(records: Iterable[Record[list[Kept]]]) -> list[Kept]:
    found = [machine for record in records for machine in record.content]
    return sorted(found, key=lambda machine: (machine.started, machine.name))


def _reap(root: Path, known: Iterable[Kept]) -> None:
    """Remove the directories of machines that nobody keeps."""
    names = {machine.name for machine in known}
    for entry in os.scandir(root):
        if _NAME.fullmatch(entry.name) and entry.name not in names:
            shutil.rmtree(entry.path, ignore_errors=True)

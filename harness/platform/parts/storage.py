"""The files behind a machine's RAM and disks: nameless ones of its own, or those of a template."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from harness.machine.boot import DiskImage, LiveIso
from harness.platform.parts import disks
from harness.platform.parts.frozen import Frozen


@dataclass(frozen=True)
class MemoryFile:
    """A file with guest RAM: written through when `shared` (a template), else copy-on-write (a clone)."""

    path: Path
    shared: bool


@dataclass(frozen=True)
class FreshOverlay:
    """Storage of a cold boot: nothing is kept. Files have names only where a `home` is given."""

    source: ClassVar[None] = None
    target: ClassVar[None] = None
    home: Path | None = None

    def memory(self) -> MemoryFile | None:
        """Return the file of guest RAM, or None when RAM needs no file."""
        return None

    def primary(self, image: DiskImage, size: str | None) -> int:
        """Return an open qcow2 file for the primary disk; the caller closes it."""
        return disks.create_overlay(image.path, image.format, size, named=_named(self.home, "disk"))

    def empty_primary(self, size_gib: int) -> tuple[int, str]:
        """An open file for a primary disk that is empty at first, and its format."""
        return disks.create_empty(size_gib, named=_named(self.home, "disk")), "raw"

    def medium(self, iso: LiveIso) -> tuple[int, str]:
        """An open file of the ISO with its changes, and its format."""
        if not iso.changes:
            return os.open(iso.path, os.O_RDONLY | os.O_CLOEXEC), "raw"
        return _changed(iso, named=_named(self.home, "medium")), "qcow2"

    def additional(self, number: int, size_gib: int) -> tuple[int, str]:
        """Return an open file for additional disk `number` (from 1), and its format."""
        return disks.create_empty(size_gib, named=_named(self.home, f"disk{number}")), "raw"


@dataclass(frozen=True)
class Freezing:
    """Storage of a cold boot with RAM and disks in files of `target` from the start, so that freezing is
    quick.
    """

    source: ClassVar[None] = None
    target: Frozen

    def memory(self) -> MemoryFile | None:
        return MemoryFile(self.target.memory, shared=True)

    def primary(self, image: DiskImage, size: str | None) -> int:
        return disks.create_overlay(image.path, image.format, size, named=self.target.disk)

    def empty_primary(self, size_gib: int) -> tuple[int, str]:
        return disks.create_empty(size_gib, named=self.target.empty_disk), "raw"

    def medium(self, iso: LiveIso) -> tuple[int, str]:
        return _changed(iso, named=self.target.medium), "qcow2"

    def additional(self, number: int, size_gib: int) -> tuple[int, str]:
        return disks.create_empty(size_gib, named=self.target.additional_disk(number)), "raw"


@dataclass(frozen=True)
class Resuming:
    """Storage of a clone: it resumes from `source`, on overlays of its own, with names only in a `home`."""

    source: Frozen
    target: ClassVar[None] = None
    home: Path | None = None

    def memory(self) -> MemoryFile | None:
        return MemoryFile(self.source.memory, shared=False)

    def primary(self, image: DiskImage, size: str | None) -> int:
        return disks.create_overlay(self.source.disk, "qcow2", named=_named(self.home, "disk"))

    def empty_primary(self, size_gib: int) -> tuple[int, str]:
        return disks.create_overlay(self.source.empty_disk, "raw", named=_named(self.home, "disk")), "qcow2"

    def medium(self, iso: LiveIso) -> tuple[int, str]:
        return disks.create_overlay(self.source.medium, "qcow2", named=_named(self.home, "medium")), "qcow2"

    def additional(self, number: int, size_gib: int) -> tuple[int, str]:
        name = _named(self.home, f"disk{number}")
        return disks.create_overlay(self.source.additional_disk(number), "raw", named=name), "qcow2"


@dataclass(frozen=True)
class ResumingToFreeze:
    """Storage of a machine that resumes from `source` and is frozen again into `target`.

    Its files are copies in `target`; the device state comes from `source`.
    """

    source: Frozen
    target: Frozen

    def memory(self) -> MemoryFile | None:
        return MemoryFile(self.target.memory, shared=True)

    def primary(self, image: DiskImage, size: str | None) -> int:
        return _reopen(self.target.disk)

    def empty_primary(self, size_gib: int) -> tuple[int, str]:
        return _reopen(self.target.empty_disk), "raw"

    def medium(self, iso: LiveIso) -> tuple[int, str]:
        return _reopen(self.target.medium), "qcow2"

    def additional(self, number: int, size_gib: int) -> tuple[int, str]:
        return _reopen(self.target.additional_disk(number)), "raw"


Storage = FreshOverlay | Freezing | Resuming | ResumingToFreeze


def _changed(iso: LiveIso, *, named: Path | None = None) -> int:
    """An overlay of the ISO that has its changes."""
    overlay = disks.create_overlay(iso.path, "raw", named=named)
    try:
        disks.overwrite(overlay, ((change.offset, change.data) for change in iso.changes))
    except BaseException:
        os.close(overlay)
        raise
    return overlay


def _named(home: Path | None, name: str) -> Path | None:
    return None if home is None else home / name


def _reopen(disk: Path) -> int:
    return os.open(disk, os.O_RDWR | os.O_CLOEXEC)

"""The files and sockets of one machine that QEMU opens by name."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from harness.machine.channels import Channel
from harness.platform.parts.diskargs import DiskFile
from harness.platform.parts.firmware import FirmwareFiles
from harness.platform.parts.media import MediumFile
from harness.platform.parts.storage import MemoryFile


@dataclass(frozen=True)
class Named:
    """An open file and its name."""

    file: MediumFile
    path: Path


@dataclass(frozen=True)
class Files:
    """All names that go into a domain. Disks have their `path` set; `channels` name sockets to be made."""

    channels: tuple[tuple[Channel, Path], ...]
    primary: DiskFile | None = None
    disks: tuple[DiskFile, ...] = ()
    medium: Named | None = None
    ignition: Path | None = None
    firmware: FirmwareFiles | None = None
    efi_variables: Path | None = None
    tpm: Path | None = None
    host_directories: tuple[Path, ...] = ()
    guard: tuple[Path, ...] = ()
    memory: MemoryFile | None = None
    incoming: bool = False
    """True for a machine that continues from a template's state."""

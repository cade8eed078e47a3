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
    """All names that go into a domain. Disks have their `path` set; `channels` name sockets to be made.

    A channel without a name gets one from libvirt. On a `network` of libvirt's the guest has an address.
    """

    channels: tuple[tuple[Channel, Path | None], ...]
    primary: DiskFile | None = None
    disks: tuple[DiskFile, ...] = ()
    medium: Named | None = None
    ignition: Path | None = None
    firmware: FirmwareFiles | None = None
    efi_variables: Path | None = None
    tpm: Path | None = None
    tpm_of_libvirt: bool = False
    host_directories: tuple[Path, ...] = ()
    guard: tuple[Path, ...] = ()
    memory: MemoryFile | None = None
    network: str = ""
    incoming: bool = False
    """True for a machine that continues from a template's state."""

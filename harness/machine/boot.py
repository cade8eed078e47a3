"""Boot sources of a machine: its primary disk, and a medium beside it."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from harness.errors import ConfigError

PRIMARY = "primary"
MEDIUM = "medium"
NIC = "nic"
DEFAULT_ORDER = (PRIMARY, MEDIUM, NIC)
"""The installed disk comes before the medium it was installed from, so that a reboot starts the installed
system.
"""

NO_CD_BOOT = 34823, b"NO"
"""Offset and bytes that invalidate the `EL TORITO` signature of an ISO 9660 image (El Torito 1.0, figure 7).

Firmware then boots the hybrid image as a disk.
"""


@dataclass(frozen=True)
class DiskImage:
    """A primary disk that is an overlay of this file.

    `format` is QEMU's name of the file's format (qcow2 or raw).
    """

    path: Path
    format: str = "qcow2"


@dataclass(frozen=True)
class EmptyDisk:
    """An empty primary disk: the target of an installation."""

    size_gib: int

    def __post_init__(self) -> None:
        if self.size_gib < 1:
            raise ConfigError(f"an empty disk of {self.size_gib} GiB cannot be made", hint="1 GiB at least")


@dataclass(frozen=True)
class Overwrite:
    """Bytes that replace those at `offset` of a medium. They are written to a private overlay only."""

    offset: int
    data: bytes = field(repr=False)


@dataclass(frozen=True)
class LiveIso:
    """An ISO image in a CD drive, or with `as_disk` on a disk of its own.

    `overwrites` hold the data embedded for this machine, such as its Ignition config.
    """

    path: Path
    as_disk: bool = False
    overwrites: tuple[Overwrite, ...] = ()

    @property
    def changes(self) -> tuple[Overwrite, ...]:
        """All differences between the guest's medium and the file."""
        return (*self.overwrites, Overwrite(*NO_CD_BOOT)) if self.as_disk else self.overwrites


@dataclass(frozen=True)
class NetworkBoot:
    """PXE boot: DHCP names `boot_file`, which the firmware fetches from `tftp`, a directory served read only.

    `boot_file` may also be a URL that the firmware's iPXE fetches itself; `tftp` is then not needed.
    """

    boot_file: str
    tftp: Path | None = None


@dataclass(frozen=True)
class KernelBoot:
    """The hypervisor loads the kernel itself at each reset. Several initrds are concatenated."""

    kernel: Path
    initrds: tuple[Path, ...] = ()
    arguments: str = ""


Primary = DiskImage | EmptyDisk
Medium = LiveIso | NetworkBoot | KernelBoot

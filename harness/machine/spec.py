"""The specification of a machine under test. Plain data, checked when made, trusted afterwards."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path

from harness.errors import ConfigError
from harness.machine.boot import (
    DEFAULT_ORDER,
    MEDIUM,
    NIC,
    PRIMARY,
    DiskImage,
    EmptyDisk,
    Medium,
    NetworkBoot,
    Primary,
)
from harness.machine.channels import Channel, Use, standard
from harness.machine.disk import Disk, DiskChannel, DiskOptions, SectorSize

__all__ = [
    "NOTHING_REACHABLE",
    "Disk",
    "DiskChannel",
    "DiskOptions",
    "Firmware",
    "GuestForward",
    "HostDirectory",
    "MachineSpec",
    "QemuOptions",
    "Reachable",
    "SectorSize",
]


class Firmware(StrEnum):
    BIOS = "bios"
    UEFI = "uefi"
    UEFI_SECURE = "uefi-secure"

    @classmethod
    def parse(cls, text: str) -> Firmware:
        try:
            return cls(text)
        except ValueError:
            known = ", ".join(cls)
            raise ConfigError(f"unknown firmware {text!r}", hint=f"use one of: {known}") from None


@dataclass(frozen=True)
class HostDirectory:
    """A directory of the host that the guest sees at `mount`."""

    host: Path
    mount: str
    writable: bool = False


@dataclass(frozen=True)
class GuestForward:
    """A forward from TCP `address`:`port` of the guest's network to an abstract Unix socket of this host.

    `socket` is that socket's name without the leading zero byte (unix(7)).
    """

    address: str
    port: int
    socket: str


@dataclass(frozen=True)
class Reachable:
    """Services of this host that the guest reaches although its network is restricted.

    `hosts` are addresses and names for the guest's /etc/hosts. `tftp` is a directory that is served read only
    at the TFTP address.
    """

    forwards: tuple[GuestForward, ...] = ()
    hosts: tuple[tuple[str, str], ...] = ()
    tftp: Path | None = None


NOTHING_REACHABLE = Reachable()


@dataclass(frozen=True)
class QemuOptions:
    """Options that only QEMU has: arguments at the end of its command line."""

    extra_args: tuple[str, ...] = ()


@dataclass(frozen=True)
class MachineSpec:
    """Everything that shapes a machine except its Ignition config.

    `primary` is the content of the primary disk; None means there is no such disk. `medium` is a second boot
    source. `boot_order` names devices, first choice first: `primary`, `disk1` …, `medium`, `nic`; the
    firmware tries no others. Memory is in MiB. Without `network` there is no NIC and so no SSH: only the
    console and other channels.
    """

    primary: Primary | None = None
    arch: str = "x86_64"
    medium: Medium | None = None
    boot_order: tuple[str, ...] = DEFAULT_ORDER
    memory_mib: int = 1024
    cpus: int = 1
    firmware: Firmware = Firmware.BIOS
    primary_disk: DiskOptions = field(default_factory=DiskOptions)
    primary_size: str | None = None
    disks: tuple[Disk, ...] = ()
    additional_nics: int = 0
    numa_nodes: bool = False
    internet: bool = False
    network: bool = True
    display: bool = False
    swtpm: bool = False
    kernel_args: str = ""
    firstboot_kernel_args: str = ""
    host_directories: tuple[HostDirectory, ...] = ()
    channels: tuple[Channel, ...] = field(default_factory=standard)
    reachable: Reachable = NOTHING_REACHABLE
    qemu: QemuOptions = QemuOptions()

    def __post_init__(self) -> None:
        if self.memory_mib < 64:
            raise ConfigError(f"{self.memory_mib} MiB of memory boot nothing", hint="the unit is MiB")
        if self.cpus < 1:
            raise ConfigError("a machine needs at least one CPU")
        if not 0 <= self.additional_nics <= 16:
            raise ConfigError(f"{self.additional_nics} additional NICs cannot be had", hint="16 at most")
        self._check_network()
        self._check_boot()
        self._check_channels()
        mounts = [directory.mount for directory in self.host_directories]
        if len(set(mounts)) < len(mounts):
            raise ConfigError("two host directories cannot be mounted at the same place")

    def _check_network(self) -> None:
        if self.network:
            return
        if self.additional_nics or self.internet:
            raise ConfigError("a machine without network has no NICs and no Internet")
        if self.reachable != NOTHING_REACHABLE:
            raise ConfigError(
                "a machine without network reaches no services", hint="leave out network=False, or `services`"
            )
        if isinstance(self.medium, NetworkBoot):
            raise ConfigError("a machine without network cannot boot from it")

    def _check_boot(self) -> None:
        if self.primary is None and self.medium is None:
            raise ConfigError("the machine has nothing to boot from", hint="give it a disk or a medium")
        known = {PRIMARY, MEDIUM, NIC, *(f"disk{number}" for number in range(1, len(self.disks) + 1))}
        for name in self.boot_order:
            if name not in known:
                raise ConfigError(
                    f"no device to boot from is called {name!r}", hint=f"{', '.join(sorted(known))}"
                )
        if not isinstance(self.primary, DiskImage):
            if self.kernel_args or self.firstboot_kernel_args:
                raise ConfigError("kernel arguments are written into a disk image, and this machine has none")
            if self.primary_size is not None:
                raise ConfigError(
                    "only a disk image can be resized", hint="an empty disk has a size of its own"
                )
        if isinstance(self.medium, NetworkBoot) and self.medium.tftp and self.reachable.tftp:
            raise ConfigError("the machine cannot boot from one TFTP directory and be served another")

    def _check_channels(self) -> None:
        names = [channel.name for channel in self.channels]
        ports = [channel.port for channel in self.channels]
        if len(set(names)) < len(names) or len(set(ports)) < len(ports):
            raise ConfigError(f"two channels have the same name or port: {', '.join(names)}")
        if Use.CONSOLE not in {channel.use for channel in self.channels}:
            raise ConfigError("every machine has a console channel")

    def boot_index(self, device: str) -> int | None:
        """Return the number by which the firmware orders a device, from 1; None when it does not try the
        device.

        Numbers are two apart, since a multipath disk takes two.
        """
        return 1 + 2 * self.boot_order.index(device) if device in self.boot_order else None

    def with_primary(self, disk: Disk) -> MachineSpec:
        """Return this machine with its primary disk attached like `disk`, and of its size if it has one.

        No BIOS boots from sectors of 4096 bytes: such a disk turns a BIOS into UEFI.
        """
        native_4k = disk.options.sectors is SectorSize.NATIVE_4K
        changed = replace(
            self,
            primary_disk=disk.options,
            firmware=Firmware.UEFI if native_4k and self.firmware is Firmware.BIOS else self.firmware,
        )
        if disk.size_gib is None:
            return changed
        if isinstance(self.primary, DiskImage):
            return replace(changed, primary_size=f"{disk.size_gib}G")
        return replace(changed, primary=EmptyDisk(disk.size_gib))

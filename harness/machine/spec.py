"""What a machine under test is made of. Plain data, checked when made, trusted afterwards."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path

from harness.errors import ConfigError


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


class DiskChannel(StrEnum):
    VIRTIO = "virtio"
    NVME = "nvme"
    SCSI = "scsi"


class SectorSize(StrEnum):
    """Logical/physical sector sizes: 512/512, 4096/4096, or 512/4096 (512e)."""

    NATIVE_512 = "512"
    NATIVE_4K = "4k"
    EMULATED_512 = "512e"


@dataclass(frozen=True)
class DiskOptions:
    """How a disk is attached. `wwn` is a 64-bit number: of SCSI and multipath disks."""

    channel: DiskChannel = DiskChannel.VIRTIO
    sectors: SectorSize = SectorSize.NATIVE_512
    multipath: bool = False
    serial: str | None = None
    wwn: int | None = None


@dataclass(frozen=True)
class Disk:
    """An additional disk: empty, of `size_gib`, or at least that when it backs the primary one."""

    size_gib: int | None
    options: DiskOptions = field(default_factory=DiskOptions)

    @classmethod
    def parse(cls, text: str) -> Disk:
        """kola's form `<N>G[:channel=virtio|nvme|scsi,4k,512e,mpath,serial=X,wwn=N]`; size may be empty."""
        size_text, _, option_text = text.partition(":")
        size = None
        if size_text:
            found = re.fullmatch(r"(\d+)G?", size_text)
            if found is None or int(found[1]) == 0:
                raise ConfigError(f"disk {text!r}: {size_text!r} is not a size", hint="write it as 10G")
            size = int(found[1])
        return cls(size_gib=size, options=_disk_options(text, option_text))

    @classmethod
    def parse_primary(cls, text: str) -> Disk:
        """The same, but options may stand alone: `mpath`, `4k`, `10G`, `10G:mpath`."""
        return cls.parse(text if ":" in text or re.fullmatch(r"\d+G?", text) else f":{text}")


def _disk_options(whole: str, text: str) -> DiskOptions:
    options = DiskOptions()
    for word in filter(None, text.split(",")):
        key, _, value = word.partition("=")
        match key:
            case "channel":
                try:
                    options = replace(options, channel=DiskChannel(value))
                except ValueError:
                    raise ConfigError(
                        f"disk {whole!r}: unknown channel {value!r}", hint="use virtio, nvme or scsi"
                    ) from None
            case "4k":
                options = replace(options, sectors=SectorSize.NATIVE_4K)
            case "512e":
                options = replace(options, sectors=SectorSize.EMULATED_512)
            case "mpath":
                options = replace(options, multipath=True)
            case "serial" if value:
                options = replace(options, serial=value)
            case "wwn" if value:
                try:
                    options = replace(options, wwn=int(value, 0))
                except ValueError:
                    raise ConfigError(f"disk {whole!r}: wwn {value!r} is not a number") from None
            case _:
                raise ConfigError(
                    f"disk {whole!r}: unknown option {word!r}",
                    hint="use channel=…, 4k, 512e, mpath, serial=… or wwn=…",
                )
    return _coherent(whole, options)


def _coherent(whole: str, options: DiskOptions) -> DiskOptions:
    nvme = options.channel is DiskChannel.NVME
    if options.multipath and nvme:
        raise ConfigError(f"disk {whole!r}: the paths of a multipath disk are SCSI", hint="leave channel out")
    if nvme and options.sectors is SectorSize.EMULATED_512:
        raise ConfigError(f"disk {whole!r}: QEMU's NVMe disks cannot be 512e", hint="use 4k, or channel=scsi")
    if options.wwn is not None:
        if options.channel is not DiskChannel.SCSI and not options.multipath:
            # Linux does not believe the identifiers of QEMU's NVMe disks (NVME_QUIRK_BOGUS_NID).
            raise ConfigError(f"disk {whole!r}: such a disk has no wwn", hint="add channel=scsi or mpath")
        if not 0 < options.wwn < 1 << 64:
            raise ConfigError(f"disk {whole!r}: a wwn has 64 bits")
    if options.serial is not None and not re.fullmatch(r"[\w.:-]{1,20}", options.serial):
        raise ConfigError(
            f"disk {whole!r}: serial {options.serial!r} cannot be had",
            hint="use at most 20 letters, digits, or any of . : _ -",
        )
    return options


@dataclass(frozen=True)
class HostDirectory:
    """A directory of the host seen in the guest at `mount`."""

    host: Path
    mount: str
    writable: bool = False


@dataclass(frozen=True)
class GuestForward:
    """What the guest sends to TCP `address`:`port` of its network goes to an abstract Unix socket here.

    `socket` is that socket's name without the leading zero byte (unix(7)).
    """

    address: str
    port: int
    socket: str


@dataclass(frozen=True)
class Reachable:
    """What the guest reaches of this host although its network is restricted.

    `hosts` are addresses and names for the guest's /etc/hosts; `tftp` is a directory that is served, read
    only, at the address of TFTP.
    """

    forwards: tuple[GuestForward, ...] = ()
    hosts: tuple[tuple[str, str], ...] = ()
    tftp: Path | None = None


NOTHING_REACHABLE = Reachable()


@dataclass(frozen=True)
class MachineSpec:
    """Everything that shapes one machine except its Ignition config.

    `image` is the qcow2 or raw file the primary disk overlays. Memory is MiB. Without `network` there is
    no NIC and so no SSH: only the console.
    """

    image: Path
    arch: str = "x86_64"
    image_format: str = "qcow2"
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
    extra_qemu_args: tuple[str, ...] = ()
    initramfs_journal_port: str = "com.nestos.ignition.journal"
    reachable: Reachable = NOTHING_REACHABLE

    def __post_init__(self) -> None:
        if self.memory_mib < 64:
            raise ConfigError(f"{self.memory_mib} MiB of memory boot nothing", hint="the unit is MiB")
        if self.cpus < 1:
            raise ConfigError("a machine needs at least one CPU")
        if not 0 <= self.additional_nics <= 16:
            raise ConfigError(f"{self.additional_nics} additional NICs cannot be had", hint="16 at most")
        if not self.network and (self.additional_nics or self.internet):
            raise ConfigError("a machine without network has no NICs and no Internet")
        if not self.network and self.reachable != NOTHING_REACHABLE:
            raise ConfigError(
                "a machine without network reaches no services", hint="leave out network=False, or `services`"
            )
        mounts = [directory.mount for directory in self.host_directories]
        if len(set(mounts)) < len(mounts):
            raise ConfigError("two host directories cannot be mounted at the same place")

    def with_primary(self, disk: Disk) -> MachineSpec:
        """This machine with its image attached like `disk`, and of its size if it has one.

        No BIOS boots from sectors of 4096 bytes: such a disk turns a BIOS into UEFI.
        """
        native_4k = disk.options.sectors is SectorSize.NATIVE_4K
        return replace(
            self,
            primary_disk=disk.options,
            primary_size=self.primary_size if disk.size_gib is None else f"{disk.size_gib}G",
            firmware=Firmware.UEFI if native_4k and self.firmware is Firmware.BIOS else self.firmware,
        )

"""Disks of a machine and how they are attached, in the syntax of kola's `--add-disk`."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from enum import StrEnum

from harness.errors import ConfigError


class DiskChannel(StrEnum):
    VIRTIO = "virtio"
    NVME = "nvme"
    SCSI = "scsi"


class SectorSize(StrEnum):
    """Logical and physical sector size: 512/512, 4096/4096, or 512/4096 (512e)."""

    NATIVE_512 = "512"
    NATIVE_4K = "4k"
    EMULATED_512 = "512e"


@dataclass(frozen=True)
class DiskOptions:
    """Options for attaching a disk. Only SCSI and multipath disks have a `wwn`, a 64-bit number."""

    channel: DiskChannel = DiskChannel.VIRTIO
    sectors: SectorSize = SectorSize.NATIVE_512
    multipath: bool = False
    serial: str | None = None
    wwn: int | None = None


@dataclass(frozen=True)
class Disk:
    """An additional, empty disk of `size_gib` GiB. For the primary disk: its options and minimum size."""

    size_gib: int | None
    options: DiskOptions = field(default_factory=DiskOptions)

    @classmethod
    def parse(cls, text: str) -> Disk:
        """Parse `<N>G[:channel=virtio|nvme|scsi,4k,512e,mpath,serial=X,wwn=N]`; the size may be empty."""
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
        """Parse the same syntax for the primary disk, where options may stand alone: `mpath`, `4k`, `10G`,
        `10G:mpath`.
        """
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
            # Linux ignores the identifiers of QEMU's NVMe disks (NVME_QUIRK_BOGUS_NID).
            raise ConfigError(f"disk {whole!r}: such a disk has no wwn", hint="add channel=scsi or mpath")
        if not 0 < options.wwn < 1 << 64:
            raise ConfigError(f"disk {whole!r}: a wwn has 64 bits")
    if options.serial is not None and not re.fullmatch(r"[\x20-\x7e]{1,20}", options.serial):
        raise ConfigError(
            f"disk {whole!r}: serial {options.serial!r} is not possible",
            hint="use at most 20 printable ASCII characters",
        )
    return options

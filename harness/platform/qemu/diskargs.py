"""The part of QEMU's command line that is about disks: block nodes, controllers, devices."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from harness.machine.spec import DiskChannel, DiskOptions, SectorSize
from harness.platform.qemu.disks import through_descriptor

PATHS = 2
"""How many paths lead to a multipath disk."""

# What kola gives its multipath disks; rules in the guest may go by it.
_MULTIPATH_IDENTITY = "vendor=NVME,product=VirtualMultipath"
_MULTIPATH_WWN = 0x5000_C500_4B4F_4C00


@dataclass(frozen=True)
class DiskFile:
    """An open disk image: descriptor, its format, and how the guest sees it."""

    descriptor: int
    format: str
    options: DiskOptions


def path_device(disk: int, path: int) -> str:
    """QEMU's id of one path to a multipath disk; disk 0 is the primary one."""
    return f"disk{disk}-path{path}"


def build(disks: Sequence[DiskFile]) -> list[str]:
    """Arguments for all disks, of which the first is the primary one.

    The guest meets the primary disk last: where all are virtio, the additional ones are vda, vdb and so on.
    Tests of NestOS and CoreOS count on that.
    """
    argv = _controllers([disk.options for disk in disks])
    for number in (*range(1, len(disks)), 0):
        argv += _blockdev(f"disk{number}", disks[number])
        argv += _devices(number, disks[number].options)
    return argv


def _controllers(disks: Sequence[DiskOptions]) -> list[str]:
    names = []
    if any(disk.channel is DiskChannel.SCSI and not disk.multipath for disk in disks):
        names.append("scsi0")
    if any(disk.multipath for disk in disks):
        names += [f"path{path}" for path in range(PATHS)]
    return [word for name in names for word in ("-device", f"virtio-scsi-pci,id={name}")]


def _blockdev(name: str, disk: DiskFile) -> list[str]:
    # cache.no-flush is `cache=unsafe`: a test's disk need not survive the host.
    protocol = f"driver=file,node-name={name}-file,filename={through_descriptor(disk.descriptor)}"
    caching = "cache.direct=off,cache.no-flush=on,discard=unmap"
    return [
        "-blockdev", f"{protocol},{caching}",
        "-blockdev", f"driver={disk.format},node-name={name},file={name}-file,discard=unmap",
    ]  # fmt: skip


def _devices(number: int, options: DiskOptions) -> list[str]:
    name = f"disk{number}"
    serial = options.serial or ("primary-disk" if number == 0 else name)
    tail = _sectors(options.sectors)
    if options.multipath:
        # Two devices may write to one block node when both say so: no server is needed in between.
        wwn = options.wwn if options.wwn is not None else _MULTIPATH_WWN + number
        common = f"drive={name},share-rw=on,{_MULTIPATH_IDENTITY},serial={serial},wwn={wwn}{tail}"
        argv = []
        for path in range(PATHS):
            order = f",bootindex={path + 1}" if number == 0 else ""
            device = f"scsi-hd,id={path_device(number, path)},bus=path{path}.0,{common}{order}"
            argv += ["-device", device]
        return argv
    if number == 0:
        tail += ",bootindex=1"
    match options.channel:
        case DiskChannel.VIRTIO:
            return ["-device", f"virtio-blk-pci,drive={name},serial={serial}{tail}"]
        case DiskChannel.SCSI:
            wwn_word = f",wwn={options.wwn}" if options.wwn is not None else ""
            return ["-device", f"scsi-hd,bus=scsi0.0,drive={name},serial={serial}{wwn_word}{tail}"]
        case DiskChannel.NVME:
            return ["-device", f"nvme,drive={name},serial={serial}{tail}"]


def _sectors(size: SectorSize) -> str:
    match size:
        case SectorSize.NATIVE_4K:
            return ",physical_block_size=4096,logical_block_size=4096"
        case SectorSize.EMULATED_512:
            return ",physical_block_size=4096,logical_block_size=512"
        case SectorSize.NATIVE_512:
            return ""

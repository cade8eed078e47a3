"""QEMU arguments for disks: block nodes, controllers, devices."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from harness.machine.boot import PRIMARY
from harness.machine.disk import DiskChannel, DiskOptions, SectorSize
from harness.platform.parts.disks import through_descriptor
from harness.platform.parts.words import escape

PATHS = 2
"""Number of paths to a multipath disk."""

# The identity of kola's multipath disks; rules in the guest may match it.
_MULTIPATH_IDENTITY = "vendor=NVME,product=VirtualMultipath"
_MULTIPATH_WWN = 0x5000_C500_4B4F_4C00


@dataclass(frozen=True)
class DiskFile:
    """An open disk image: descriptor, format, and how the guest sees it.

    `index` is its position in the firmware's boot order; None when the firmware does not try it. `path` is
    the file's name for a QEMU that does not inherit the descriptor.
    """

    descriptor: int
    format: str
    options: DiskOptions
    index: int | None = None
    path: str = ""

    @property
    def filename(self) -> str:
        """The name by which QEMU opens the file."""
        return self.path or through_descriptor(self.descriptor)


def path_device(disk: int, path: int) -> str:
    """Return QEMU's id of one path to a multipath disk; disk 0 is the primary one."""
    return f"disk{disk}-path{path}"


def device_id(name: str) -> str:
    """Return QEMU's id of the device that a spec's boot order calls `name`."""
    return f"{name}-device"


def build(primary: DiskFile | None, disks: Sequence[DiskFile]) -> list[str]:
    """Return arguments for all disks; `disks` are the additional ones.

    The guest finds the primary disk last: where all are virtio, the additional ones are vda, vdb and so on.
    Tests of NestOS and CoreOS rely on that.
    """
    numbered = [*enumerate(disks, start=1), *([(0, primary)] if primary is not None else [])]
    argv = controllers([disk.options for _, disk in numbered])
    for number, disk in numbered:
        argv += blockdev(f"disk{number}", disk.filename, disk.format)
        argv += devices(number, disk)
    return argv


def controllers(disks: Sequence[DiskOptions]) -> list[str]:
    """Return arguments for the SCSI controllers that these disks need."""
    names = []
    if any(disk.channel is DiskChannel.SCSI and not disk.multipath for disk in disks):
        names.append("scsi0")
    if any(disk.multipath for disk in disks):
        names += [f"path{path}" for path in range(PATHS)]
    return [word for name in names for word in ("-device", f"virtio-scsi-pci,id={name}")]


def blockdev(name: str, filename: str, format: str, *, read_only: bool = False) -> list[str]:
    """Return arguments for a block node of an open image."""
    # cache.no-flush is `cache=unsafe`: a test's disk need not survive the host.
    protocol = f"driver=file,node-name={name}-file,filename={escape(filename)}"
    caching = "cache.direct=off,cache.no-flush=on,discard=unmap"
    access = ",read-only=on" if read_only else ""
    return [
        "-blockdev", f"{protocol},{caching}{access}",
        "-blockdev", f"driver={format},node-name={name},file={name}-file,discard=unmap{access}",
    ]  # fmt: skip


def devices(number: int, disk: DiskFile) -> list[str]:
    """Return arguments for the devices of one disk; disk 0 is the primary one."""
    name, options = f"disk{number}", disk.options
    serial = escape(options.serial or ("primary-disk" if number == 0 else name))
    tail = _sectors(options.sectors)
    if options.multipath:
        # Two devices may write to one block node when both share it: no server is needed in between.
        wwn = options.wwn if options.wwn is not None else _MULTIPATH_WWN + number
        common = f"drive={name},share-rw=on,{_MULTIPATH_IDENTITY},serial={serial},wwn={wwn}{tail}"
        argv = []
        for path in range(PATHS):
            order = "" if disk.index is None else f",bootindex={disk.index + path}"
            device = f"scsi-hd,id={path_device(number, path)},bus=path{path}.0,{common}{order}"
            argv += ["-device", device]
        return argv
    tail += f",id={device_id(name if number else PRIMARY)}"
    if disk.index is not None:
        tail += f",bootindex={disk.index}"
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

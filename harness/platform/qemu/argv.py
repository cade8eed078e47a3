"""The QEMU command line of one machine, from its spec and the descriptors it was given."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from harness.machine.spec import DiskChannel, DiskOptions, Firmware, MachineSpec, SectorSize
from harness.platform.qemu.accel import Accelerator, qemu_binary
from harness.platform.qemu.disks import through_descriptor
from harness.platform.qemu.firmware import FirmwareFiles

JOURNAL_PORT = "mantlejournal"


@dataclass(frozen=True)
class DiskFile:
    """An open disk image: descriptor, its format, and how the guest sees it."""

    descriptor: int
    format: str
    options: DiskOptions


@dataclass(frozen=True)
class MemoryFile:
    """Guest RAM in a file: written through when `shared` (a template), copy-on-write otherwise (a clone)."""

    path: Path
    shared: bool


@dataclass(frozen=True)
class Descriptors:
    """Everything QEMU inherits. Sockets are connected stream sockets, the rest are files."""

    qmp: int
    console: int
    journal: int
    initramfs: int
    primary: DiskFile
    disks: tuple[DiskFile, ...] = ()
    ignition: int | None = None
    efi_variables: int | None = None
    extra: tuple[int, ...] = field(default=())

    def all(self) -> list[int]:
        single = [self.qmp, self.console, self.journal, self.initramfs, self.ignition, self.efi_variables]
        files = [self.primary.descriptor, *(disk.descriptor for disk in self.disks)]
        return [number for number in (*single, *files, *self.extra) if number is not None]


def build(
    spec: MachineSpec,
    fds: Descriptors,
    *,
    accelerator: Accelerator,
    firmware: FirmwareFiles | None,
    memory: MemoryFile | None = None,
    incoming: bool = False,
) -> list[str]:
    """A pure function: the same input gives the same list. With `incoming` QEMU waits for a state."""
    return [
        *_base(spec, accelerator, memory),
        *(["-incoming", "defer"] if incoming else []),
        *_firmware(spec, fds, firmware),
        *_ports(spec, fds),
        *_ignition(spec, fds),
        *_disks(spec, fds),
        *_network(spec),
        *spec.extra_qemu_args,
    ]


def _base(spec: MachineSpec, accelerator: Accelerator, memory: MemoryFile | None) -> list[str]:
    # fmt: off
    argv = [
        qemu_binary(spec.arch),
        "-S",
        "-name", "kola",
        "-nodefaults",
        "-no-user-config",
        "-display", "none",
        "-machine", _machine_type(spec) + (",memory-backend=ram" if memory else ""),
        "-accel", accelerator.argument,
        "-cpu", accelerator.cpu,
        "-smp", str(spec.cpus),
        "-m", str(spec.memory_mib),
        "-object", "rng-random,filename=/dev/urandom,id=rng0",
        "-device", "virtio-rng-pci,rng=rng0",
    ]
    # fmt: on
    if memory is not None:
        share = "on" if memory.shared else "off"
        backend = f"memory-backend-file,id=ram,size={spec.memory_mib}M,mem-path={memory.path},share={share}"
        argv += ["-object", backend]
    if spec.numa_nodes:
        half = spec.memory_mib // 2
        argv += [
            "-object", f"memory-backend-ram,id=mem0,size={half}M",
            "-object", f"memory-backend-ram,id=mem1,size={spec.memory_mib - half}M",
            "-numa", "node,nodeid=0,memdev=mem0",
            "-numa", "node,nodeid=1,memdev=mem1",
        ]  # fmt: skip
    return argv


def _machine_type(spec: MachineSpec) -> str:
    if spec.arch == "aarch64":
        return "virt,gic-version=max"
    match spec.firmware:
        case Firmware.BIOS:
            return "pc"
        case Firmware.UEFI:
            return "q35"
        case Firmware.UEFI_SECURE:
            return "q35,smm=on"


def _firmware(spec: MachineSpec, fds: Descriptors, files: FirmwareFiles | None) -> list[str]:
    if files is None or fds.efi_variables is None:
        return []
    argv = []
    if spec.firmware is Firmware.UEFI_SECURE:
        argv += ["-global", "driver=cfi.pflash01,property=secure,value=on"]
        argv += ["-global", "ICH9-LPC.disable_s3=1"]
    argv += [
        "-drive", f"if=pflash,unit=0,format=raw,readonly=on,file={files.code}",
        "-drive", f"if=pflash,unit=1,format=raw,file={through_descriptor(fds.efi_variables)}",
    ]  # fmt: skip
    return argv


def _ports(spec: MachineSpec, fds: Descriptors) -> list[str]:
    # fmt: off
    return [
        "-chardev", f"socket,id=qmp,fd={fds.qmp}",
        "-mon", "chardev=qmp,mode=control",
        "-chardev", f"socket,id=console,fd={fds.console}",
        "-serial", "chardev:console",
        "-device", "virtio-serial-pci,id=ports",
        "-chardev", f"socket,id=journal,fd={fds.journal}",
        "-device", f"virtserialport,bus=ports.0,chardev=journal,name={JOURNAL_PORT}",
        "-chardev", f"socket,id=initramfs,fd={fds.initramfs}",
        "-device", f"virtserialport,bus=ports.0,chardev=initramfs,name={spec.initramfs_journal_port}",
    ]
    # fmt: on


def _ignition(spec: MachineSpec, fds: Descriptors) -> list[str]:
    if fds.ignition is None:
        return []
    path = through_descriptor(fds.ignition)
    return ["-fw_cfg", f"name=opt/com.coreos/config,file={path}"]


def _disks(spec: MachineSpec, fds: Descriptors) -> list[str]:
    argv: list[str] = []
    every = [fds.primary, *fds.disks]
    if any(disk.options.channel is DiskChannel.SCSI for disk in every):
        argv += ["-device", "virtio-scsi-pci,id=scsi0"]
    for number, disk in enumerate(every):
        name = f"disk{number}"
        argv += _blockdev(name, disk)
        default_serial = "primary-disk" if number == 0 else name
        tail = ",bootindex=1" if number == 0 else ""
        argv += ["-device", _disk_device(name, disk.options, default_serial) + tail]
    return argv


def _blockdev(name: str, disk: DiskFile) -> list[str]:
    # cache.no-flush is `cache=unsafe`: a test's disk need not survive the host.
    protocol = f"driver=file,node-name={name}-file,filename={through_descriptor(disk.descriptor)}"
    caching = "cache.direct=off,cache.no-flush=on,discard=unmap"
    return [
        "-blockdev", f"{protocol},{caching}",
        "-blockdev", f"driver={disk.format},node-name={name},file={name}-file,discard=unmap",
    ]  # fmt: skip


def _disk_device(name: str, options: DiskOptions, default_serial: str) -> str:
    serial = options.serial or default_serial
    match options.channel:
        case DiskChannel.VIRTIO:
            words = ["virtio-blk-pci", f"drive={name}", f"serial={serial}"]
        case DiskChannel.NVME:
            words = ["nvme", f"drive={name}", f"serial={serial}"]
        case DiskChannel.SCSI:
            words = ["scsi-hd", "bus=scsi0.0", f"drive={name}", f"serial={serial}"]
            if options.wwn is not None:
                words.append(f"wwn={options.wwn}")
    match options.sectors:
        case SectorSize.NATIVE_4K:
            words.append("physical_block_size=4096,logical_block_size=4096")
        case SectorSize.EMULATED_512:
            words.append("physical_block_size=4096,logical_block_size=512")
        case SectorSize.NATIVE_512:
            pass
    return ",".join(words)


def _network(spec: MachineSpec) -> list[str]:
    # Port 0: the kernel picks a free port while QEMU binds it; QMP tells which. Nothing to race for.
    restrict = "off" if spec.internet else "on"
    argv = [
        "-netdev", f"user,id=net0,restrict={restrict},hostfwd=tcp:127.0.0.1:0-:22",
        "-device", "virtio-net-pci,netdev=net0,romfile=",
    ]  # fmt: skip
    for number in range(spec.additional_nics):
        argv += [
            "-netdev", f"user,id=extra{number},restrict=on",
            "-device", f"virtio-net-pci,netdev=extra{number},mac=52:55:00:d1:56:{number:02x},romfile=",
        ]  # fmt: skip
    return argv

"""The QEMU command line of one machine, made from its spec and the descriptors that QEMU inherits."""

from __future__ import annotations

from dataclasses import dataclass

from harness.machine.channels import Channel
from harness.machine.spec import Firmware, MachineSpec
from harness.platform.parts import diskargs, hostdirs, loopback, media, nics, tpm
from harness.platform.parts.accel import Accelerator, qemu_binary
from harness.platform.parts.board import is_pc
from harness.platform.parts.diskargs import DiskFile
from harness.platform.parts.disks import through_descriptor
from harness.platform.parts.firmware import FirmwareFiles
from harness.platform.parts.media import MediumFile
from harness.platform.parts.storage import MemoryFile
from harness.platform.parts.words import escape

_DISPLAYS = {"x86_64": "VGA", "aarch64": "virtio-gpu-pci"}


@dataclass(frozen=True)
class Descriptors:
    """All descriptors that QEMU inherits. Sockets are connected stream sockets, the rest are files."""

    qmp: int
    channels: tuple[tuple[Channel, int], ...]
    primary: DiskFile | None = None
    disks: tuple[DiskFile, ...] = ()
    medium: MediumFile | None = None
    ignition: int | None = None
    efi_variables: int | None = None
    tpm: int | None = None
    host_directories: tuple[int, ...] = ()
    guard: tuple[int, ...] = ()

    def all(self) -> list[int]:
        images = [image for image in (self.primary, *self.disks, self.medium) if image is not None]
        numbers = [
            self.qmp,
            *(descriptor for _, descriptor in self.channels),
            self.tpm,
            *self.host_directories,
            *self.guard,
            self.ignition,
            self.efi_variables,
            *(image.descriptor for image in images),
        ]
        return [number for number in numbers if number is not None]


def build(
    spec: MachineSpec,
    fds: Descriptors,
    *,
    accelerator: Accelerator,
    firmware: FirmwareFiles | None,
    memory: MemoryFile | None = None,
    incoming: bool = False,
) -> list[str]:
    """Return the command line. A pure function. With `incoming`, QEMU waits for a migration state."""
    return [
        *_base(spec, accelerator, memory),
        *(["-incoming", "defer"] if incoming else []),
        *_firmware(spec, fds, firmware),
        *_ports(fds),
        *_ignition(spec, fds),
        *diskargs.build(fds.primary, fds.disks),
        *media.arguments(spec, fds.medium, machine_is_pc=is_pc(spec)),
        *nics.arguments(spec, place=lambda _device: "", spare_chassis=1),
        *loopback.arguments(fds.guard),
        *(["-device", _DISPLAYS[spec.arch]] if spec.display else []),
        *(tpm.arguments(spec.arch, fds.tpm) if fds.tpm is not None else []),
        *hostdirs.arguments(fds.host_directories),
        *spec.qemu.extra_args,
    ]


def _base(spec: MachineSpec, accelerator: Accelerator, memory: MemoryFile | None) -> list[str]:
    backends, owner = _memory(spec, memory)
    # fmt: off
    return [
        qemu_binary(spec.arch),
        "-S",
        "-name", "kola",
        "-nodefaults",
        "-no-user-config",
        "-display", "none",
        "-machine", _machine_type(spec) + owner,
        "-accel", accelerator.argument,
        "-cpu", accelerator.cpu,
        "-smp", str(spec.cpus),
        "-m", str(spec.memory_mib),
        *backends,
        "-object", "rng-random,filename=/dev/urandom,id=rng0",
        "-device", "virtio-rng-pci,rng=rng0",
    ]
    # fmt: on


def _memory(spec: MachineSpec, memory: MemoryFile | None) -> tuple[list[str], str]:
    """Return the arguments for the guest's RAM and the machine option that refers to them."""
    size = spec.memory_mib
    if memory is not None:
        share = "on" if memory.shared else "off"
        words = f"memory-backend-file,id=ram,size={size}M,mem-path={escape(memory.path)},share={share}"
        return ["-object", words], ",memory-backend=ram"
    # A server beside QEMU (virtiofsd) reads and writes the guest's memory itself.
    kind, share = ("memfd", ",share=on") if spec.host_directories else ("ram", "")
    if spec.numa_nodes:
        half = size // 2
        return [
            "-object", f"memory-backend-{kind},id=mem0{share},size={half}M",
            "-object", f"memory-backend-{kind},id=mem1{share},size={size - half}M",
            "-numa", "node,nodeid=0,memdev=mem0",
            "-numa", "node,nodeid=1,memdev=mem1",
        ], ""  # fmt: skip
    if spec.host_directories:
        return ["-object", f"memory-backend-memfd,id=ram{share},size={size}M"], ",memory-backend=ram"
    return [], ""


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
        "-drive", f"if=pflash,unit=0,format=raw,readonly=on,file={escape(files.code)}",
        "-drive", f"if=pflash,unit=1,format=raw,file={through_descriptor(fds.efi_variables)}",
    ]  # fmt: skip
    return argv


def _ports(fds: Descriptors) -> list[str]:
    # fmt: off
    argv = [
        "-chardev", f"socket,id=qmp,fd={fds.qmp}",
        "-mon", "chardev=qmp,mode=control",
        "-device", "virtio-serial-pci,id=ports",
    ]
    # fmt: on
    for number, (channel, descriptor) in enumerate(fds.channels):
        name = f"channel{number}"
        argv += ["-chardev", f"socket,id={name},fd={descriptor}"]
        if channel.port:
            argv += ["-device", f"virtserialport,bus=ports.0,chardev={name},name={escape(channel.port)}"]
        else:
            argv += ["-serial", f"chardev:{name}"]
    return argv


def _ignition(spec: MachineSpec, fds: Descriptors) -> list[str]:
    if fds.ignition is None:
        return []
    path = through_descriptor(fds.ignition)
    return ["-fw_cfg", f"name=opt/com.coreos/config,file={path}"]

"""The QEMU command line of one machine, from its spec and the descriptors it was given."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from harness.machine.spec import Firmware, MachineSpec
from harness.platform.qemu import diskargs, hostdirs, services, tpm
from harness.platform.qemu.accel import Accelerator, qemu_binary
from harness.platform.qemu.diskargs import DiskFile
from harness.platform.qemu.disks import through_descriptor
from harness.platform.qemu.firmware import FirmwareFiles

JOURNAL_PORT = "mantlejournal"
_SPARE = "spare"
_DISPLAYS = {"x86_64": "VGA", "aarch64": "virtio-gpu-pci"}


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
    tpm: int | None = None
    host_directories: tuple[int, ...] = ()

    def all(self) -> list[int]:
        sockets = [self.qmp, self.console, self.journal, self.initramfs, self.tpm, *self.host_directories]
        files = [
            self.ignition,
            self.efi_variables,
            *(disk.descriptor for disk in (self.primary, *self.disks)),
        ]
        return [number for number in (*sockets, *files) if number is not None]


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
        *diskargs.build([fds.primary, *fds.disks]),
        *_network(spec),
        *(["-device", _DISPLAYS[spec.arch]] if spec.display else []),
        *(tpm.arguments(spec.arch, fds.tpm) if fds.tpm is not None else []),
        *hostdirs.arguments(fds.host_directories),
        *spec.extra_qemu_args,
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
    """Backends of the guest's RAM, and what the machine must be told of them."""
    size = spec.memory_mib
    if memory is not None:
        share = "on" if memory.shared else "off"
        words = f"memory-backend-file,id=ram,size={size}M,mem-path={memory.path},share={share}"
        return ["-object", words], ",memory-backend=ram"
    # A server beside QEMU reads and writes the guest's memory itself.
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


def spare_slot(spec: MachineSpec) -> dict[str, str]:
    """Where a NIC plugged in later goes: PCI Express needs a free port, PCI any slot."""
    return {} if _machine_type(spec) == "pc" else {"bus": _SPARE}


def _network(spec: MachineSpec) -> list[str]:
    if not spec.network:
        return []
    # Port 0: the kernel picks a free port while QEMU binds it; QMP tells which. Nothing to race for.
    restrict = "off" if spec.internet else "on"
    # QEMU gives the saved leases of all user networks the same name and a clone's first one receives them
    # all, so that others' leases would bar net0 from its address: with several, the first has no guest.
    argv = ["-netdev", "user,id=leases,restrict=on"] if spec.additional_nics else []
    argv += [
        "-netdev", f"user,id=net0,restrict={restrict},hostfwd=tcp:127.0.0.1:0-:22{services.words(spec)}",
        "-device", "virtio-net-pci,netdev=net0,romfile=",
    ]  # fmt: skip
    if spare_slot(spec):
        argv += ["-device", f"pcie-root-port,id={_SPARE},chassis=1"]
    # Tests of NestOS know the addresses of additional NICs. Their networks are wider than the first one's, so
    # that answers to SSH leave by the NIC they came by, whatever the metrics of the routes.
    for number in range(spec.additional_nics):
        subnet = f"net=10.0.2.0/23,dhcpstart=10.0.2.{31 + number}"
        argv += [
            "-netdev", f"user,id=extra{number},restrict=on,{subnet}",
            "-device", f"virtio-net-pci,netdev=extra{number},mac=52:55:00:d1:56:{number:02x},romfile=",
        ]  # fmt: skip
    return argv

"""Media beside the primary disk: a CD, an ISO as a disk, a kernel, or a boot file of the network."""

from __future__ import annotations

import os
import shutil
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from harness.errors import ConfigError
from harness.machine.boot import MEDIUM, KernelBoot, LiveIso, NetworkBoot
from harness.machine.spec import Firmware, MachineSpec
from harness.platform.parts import diskargs, disks
from harness.platform.parts.disks import through_descriptor
from harness.platform.parts.storage import Storage
from harness.platform.parts.words import escape

_NODE = "medium"
_CONTROLLER = "medium-bus"
_IPXE_ROM = "efi-virtio.rom"
_ROM_DIRECTORIES = ("/usr/lib/ipxe/qemu", "/usr/share/qemu", "/usr/share/ipxe/qemu", "/usr/share/ipxe")


@dataclass(frozen=True)
class MediumFile:
    """An open file of the medium: the ISO, its overlay, or all initrds in one."""

    descriptor: int
    format: str = "raw"


def open_medium(
    spec: MachineSpec, storage: Storage, handed_over: ExitStack, *, home: Path | None = None
) -> MediumFile | None:
    """Open the medium for QEMU. A file made here has a name only in a `home`.

    Raises ConfigError for a file that cannot be read.
    """
    match spec.medium:
        case LiveIso() as iso:
            _check_file(iso.path, "ISO image")
            opened = MediumFile(*storage.medium(iso))
        case KernelBoot() as boot:
            for path in (boot.kernel, *boot.initrds):
                _check_file(path, "boot file")
            if not boot.initrds:
                return None
            opened = _open_initrds(boot.initrds, home)
        case _:
            return None
    handed_over.callback(os.close, opened.descriptor)
    return opened


def arguments(spec: MachineSpec, opened: MediumFile | None, *, machine_is_pc: bool) -> list[str]:
    """Return QEMU's arguments for a CD, an ISO as disk, or a kernel. Network boot: see `network_words`."""
    match spec.medium:
        case LiveIso(as_disk=as_disk) if opened is not None:
            index, filename = spec.boot_index(MEDIUM), through_descriptor(opened.descriptor)
            tail = f"drive={_NODE},id={diskargs.device_id(MEDIUM)}"
            tail += "" if index is None else f",bootindex={index}"
            if as_disk:
                node = diskargs.blockdev(_NODE, filename, opened.format)
                return [*node, "-device", f"virtio-blk-pci,{tail}"]
            node = diskargs.blockdev(_NODE, filename, opened.format, read_only=True)
            if machine_is_pc:
                return [*node, "-device", f"ide-cd,{tail}"]
            # The kernels of cloud images have no AHCI.
            bus = ["-device", f"virtio-scsi-pci,id={_CONTROLLER}"]
            return [*node, *bus, "-device", f"scsi-cd,bus={_CONTROLLER}.0,{tail}"]
        case KernelBoot(kernel=kernel, arguments=text):
            argv = ["-kernel", str(kernel)]
            if opened is not None:
                argv += ["-initrd", through_descriptor(opened.descriptor)]
            return [*argv, *(["-append", text] if text else [])]
    return []


def network_words(spec: MachineSpec) -> str:
    """Return the options of `-netdev user` by which DHCP names a boot file, each after a comma."""
    if not isinstance(spec.medium, NetworkBoot):
        return ""
    tftp = f",tftp={escape(spec.medium.tftp)}" if spec.medium.tftp is not None else ""
    return f"{tftp},bootfile={escape(spec.medium.boot_file)}"


def boot_rom(spec: MachineSpec) -> str:
    """Return the `romfile` option of the first NIC, after a comma: a BIOS needs iPXE in a ROM for network
    boot.

    UEFI has its own driver and PXE. Raises ConfigError when the ROM is missing.
    """
    if not isinstance(spec.medium, NetworkBoot) or spec.firmware is not Firmware.BIOS:
        return ",romfile="
    if not any(Path(directory, _IPXE_ROM).exists() for directory in _ROM_DIRECTORIES):
        raise ConfigError(
            f"this host has no {_IPXE_ROM} to boot from the network", hint="apt-get install ipxe-qemu"
        )
    return ""


def _open_initrds(paths: tuple[Path, ...], home: Path | None) -> MediumFile:
    """Return one file with all initrds, each padded to four bytes (kernel: initramfs buffer format)."""
    descriptor = disks.new_file(None if home is None else home / "initrd")
    try:
        with os.fdopen(descriptor, "wb", closefd=False) as whole:
            for path in paths:
                with path.open("rb") as part:
                    shutil.copyfileobj(part, whole, 1 << 20)
                whole.write(bytes(-whole.tell() % 4))
    except BaseException:
        os.close(descriptor)
        raise
    return MediumFile(descriptor)


def _check_file(path: Path, kind: str) -> None:
    if not path.is_file():
        raise ConfigError(f"there is no {kind} {path}")

"""Arguments for QEMU that a domain's XML cannot express (libvirt: drvqemu, "Pass-through of arbitrary qemu
commands").
"""

from __future__ import annotations

from harness.machine.disk import DiskChannel
from harness.machine.spec import MachineSpec
from harness.platform.libvirt.given import Files
from harness.platform.libvirt.hardware import ALIAS, PRIMARY_DISK, Slots, slots
from harness.platform.parts import diskargs, hostdirs, nics
from harness.platform.parts.words import escape

_SPARE_CHASSIS = 99  # libvirt numbers its own root ports from 1


def arguments(spec: MachineSpec, files: Files) -> list[str]:
    """Return the arguments to append to libvirt's own. A pure function."""
    place = slots(spec)
    return [
        *_memory(spec, files),
        *(["-incoming", "defer"] if files.incoming else []),
        *_disks(files, place),
        *nics.arguments(
            spec,
            place=place.place,
            spare_chassis=_SPARE_CHASSIS,
            prefix=ALIAS,
            first=not files.network,
        ),
        *_guard(files),
        *_tpm(files),
        *_host_directories(files, place),
        *spec.qemu.extra_args,
    ]


def _memory(spec: MachineSpec, files: Files) -> list[str]:
    """Replace the guest's RAM: by a file for a template, by memory that virtiofsd can read."""
    size = spec.memory_mib
    if files.memory is not None:
        share = "on" if files.memory.shared else "off"
        path = escape(files.memory.path)
        backend = f"memory-backend-file,id=ram0,size={size}M,mem-path={path},share={share}"
    elif files.host_directories:
        backend = f"memory-backend-memfd,id=ram0,share=on,size={size}M"
    else:
        return []
    return ["-object", backend, "-machine", "memory-backend=ram0"]


def _disks(files: Files, place: Slots) -> list[str]:
    numbered = [*enumerate(files.disks, start=1)]
    if files.primary is not None:
        numbered.append((PRIMARY_DISK, files.primary))
    ours = [
        (number, disk)
        for number, disk in numbered
        if disk.options.multipath or disk.options.channel is DiskChannel.NVME
    ]
    argv = []
    if any(disk.options.multipath for _, disk in ours):
        for path in range(diskargs.PATHS):
            argv += ["-device", f"virtio-scsi-pci,id=path{path}{place.place(f'path{path}')}"]
    for number, disk in ours:
        argv += diskargs.blockdev(f"disk{number}", disk.filename, disk.format)
        devices = diskargs.devices(number, disk)
        if not disk.options.multipath:
            devices[-1] = devices[-1].replace(",id=", f",id={ALIAS}") + place.place(f"disk{number}")
        argv += devices
    return argv


def _guard(files: Files) -> list[str]:
    """Lead the frames that a guest on the Internet sends through our filter (parts.loopback)."""
    if not files.guard:
        return []
    to_guard, from_guard = files.guard
    return [
        "-chardev", f"socket,id=to-guard,path={escape(to_guard)}",
        "-chardev", f"socket,id=from-guard,path={escape(from_guard)}",
        "-object", "filter-redirector,id=guard,netdev=net0,queue=rx,outdev=to-guard,indev=from-guard",
    ]  # fmt: skip


def _tpm(files: Files) -> list[str]:
    """Use a TPM of our own, as the platform `qemu` does: libvirt's would leave a log for each machine."""
    if files.tpm is None:
        return []
    return [
        "-chardev", f"socket,id=tpm,path={escape(files.tpm)}",
        "-tpmdev", "emulator,id=tpm0,chardev=tpm",
        "-device", "tpm-tis,tpmdev=tpm0",
    ]  # fmt: skip


def _host_directories(files: Files, place: Slots) -> list[str]:
    argv = []
    for number, path in enumerate(files.host_directories):
        device = f"vhost-user-fs-pci,chardev=host{number},tag={hostdirs.tag(number)}"
        argv += [
            "-chardev", f"socket,id=host{number},path={escape(path)}",
            "-device", device + place.place(f"host{number}"),
        ]  # fmt: skip
    return argv

"""All that QEMU inherits beside its sockets to us: disks, config, firmware variables, helpers' sockets."""

from __future__ import annotations

import os
import socket
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from harness.errors import ConfigError
from harness.ignition import IgnitionConfig
from harness.machine.spec import Firmware, MachineSpec, SectorSize
from harness.platform.qemu import bootargs, disks, firmware, hostdirs, partition, tpm
from harness.platform.qemu.argv import Descriptors, MemoryFile
from harness.platform.qemu.diskargs import DiskFile
from harness.platform.qemu.firmware import FirmwareFiles
from harness.platform.qemu.frozen import Frozen


@dataclass(frozen=True)
class Sockets:
    """QEMU's ends of the connections to us."""

    qmp: socket.socket
    console: socket.socket
    journal: socket.socket
    initramfs: socket.socket


class Supplier:
    """Opens what a spec asks for.

    Descriptors live on `handed_over`, to be closed once QEMU has them, helper processes on `owned`.
    """

    def __init__(
        self,
        spec: MachineSpec,
        *,
        freezing: Frozen | None,
        resuming: Frozen | None,
        handed_over: ExitStack,
        owned: ExitStack,
    ) -> None:
        self._spec = spec
        self._freezing = freezing
        self._resuming = resuming
        self._handed_over = handed_over
        self._owned = owned

    def open(self, sockets: Sockets, config: bytes | None, files: FirmwareFiles | None) -> Descriptors:
        """Raises ConfigError for what the host or the image does not have, InfrastructureError."""
        spec = self._spec
        overlay = self._keep(self._overlay())
        self._prepare(overlay)
        return Descriptors(
            qmp=sockets.qmp.fileno(),
            console=sockets.console.fileno(),
            journal=sockets.journal.fileno(),
            initramfs=sockets.initramfs.fileno(),
            primary=DiskFile(overlay, "qcow2", spec.primary_disk),
            disks=tuple(self._additional(number) for number in range(1, len(spec.disks) + 1)),
            ignition=None if config is None else self._memory_file("ignition", config),
            efi_variables=self._keep(firmware.private_variables(files)) if files else None,
            tpm=self._socket(tpm.start(self._owned)) if spec.swtpm else None,
            host_directories=tuple(
                self._socket(hostdirs.start(directory, self._owned)) for directory in spec.host_directories
            ),
        )

    def memory(self) -> MemoryFile | None:
        """Where RAM lies, when that is to be kept or comes from a template."""
        if self._freezing is not None:
            return MemoryFile(self._freezing.memory, shared=True)
        if self._resuming is not None:
            return MemoryFile(self._resuming.memory, shared=False)
        return None

    def _overlay(self) -> int:
        spec = self._spec
        if self._resuming is not None and self._freezing is not None:
            return _reopen(self._freezing.disk)
        if self._resuming is not None:
            return disks.create_overlay(self._resuming.disk, "qcow2")
        named = self._freezing.disk if self._freezing is not None else None
        return disks.create_overlay(spec.image, spec.image_format, spec.primary_size, named=named)

    def _prepare(self, overlay: int) -> None:
        """Changes to the disk before the guest first sees it; a clone's are its template's."""
        spec = self._spec
        if self._resuming is not None:
            return
        if spec.primary_disk.sectors is SectorSize.NATIVE_4K:
            self._check_native_4k(overlay)
        if spec.kernel_args or spec.firstboot_kernel_args:
            bootargs.insert(overlay, kernel=spec.kernel_args, firstboot=spec.firstboot_kernel_args)

    def _check_native_4k(self, overlay: int) -> None:
        if self._spec.firmware is Firmware.BIOS:
            raise ConfigError("a BIOS cannot boot from a 4k disk", hint="use UEFI firmware, or 512e")
        if partition.read_table(overlay).sector != 4096:
            raise ConfigError(
                "the image is laid out for sectors of 512 bytes and cannot boot from a 4k disk",
                file=self._spec.image,
                hint="give an image made for such disks (nosa's metal4k is) with --qemu-image, or use 512e",
            )

    def _additional(self, number: int) -> DiskFile:
        disk = self._spec.disks[number - 1]
        if disk.size_gib is None:
            raise ConfigError("an additional disk needs a size", hint="write it as 10G")
        if self._resuming is not None and self._freezing is not None:
            return DiskFile(self._keep(_reopen(self._freezing.additional_disk(number))), "raw", disk.options)
        if self._resuming is not None:
            base = self._resuming.additional_disk(number)
            return DiskFile(self._keep(disks.create_overlay(base, "raw")), "qcow2", disk.options)
        named = self._freezing.additional_disk(number) if self._freezing is not None else None
        return DiskFile(self._keep(disks.create_empty(disk.size_gib, named=named)), "raw", disk.options)

    def _memory_file(self, name: str, content: bytes) -> int:
        descriptor = self._keep(os.memfd_create(name))
        os.write(descriptor, content)
        return descriptor

    def _keep(self, descriptor: int) -> int:
        self._handed_over.callback(os.close, descriptor)
        return descriptor

    def _socket(self, end: socket.socket) -> int:
        return self._handed_over.enter_context(end).fileno()


def _reopen(disk: Path) -> int:
    """The descriptor of a copy that a template goes on with."""
    return os.open(disk, os.O_RDWR | os.O_CLOEXEC)


def config_bytes(
    spec: MachineSpec, ignition: IgnitionConfig | bytes, directory: Path, *, pad_to: int | None
) -> bytes:
    """What the guest is given: the config with the host directories' mounts; a redacted copy is kept.

    Bytes are kept as they are: what they hold may be no config at all. Padding is blanks at the end.
    """
    if isinstance(ignition, bytes):
        (directory / "ignition.json").write_bytes(ignition)
        return ignition.ljust(pad_to or 0)
    whole = ignition.merge(hostdirs.mounts(spec.host_directories)) if spec.host_directories else ignition
    (directory / "ignition.json").write_text(whole.redact().to_json(pretty=True))
    return whole.to_bytes(pad_to=pad_to)

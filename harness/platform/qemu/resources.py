"""Resources that QEMU inherits beside its sockets to us: disks, config, firmware variables, helpers'
sockets.
"""

from __future__ import annotations

import os
import socket
from contextlib import ExitStack

from harness.errors import ConfigError
from harness.machine.boot import PRIMARY, DiskImage, EmptyDisk
from harness.machine.channels import Channel
from harness.machine.spec import Firmware, MachineSpec, SectorSize
from harness.platform.qemu import bootargs, firmware, hostdirs, media, partition, tpm
from harness.platform.qemu.argv import Descriptors
from harness.platform.qemu.diskargs import DiskFile
from harness.platform.qemu.firmware import FirmwareFiles
from harness.platform.qemu.storage import Storage


class QemuResources:
    """The opener of a spec's resources.

    Descriptors live on `handed_over`, which is closed once QEMU has them; helper processes live on `owned`.
    """

    def __init__(
        self,
        spec: MachineSpec,
        *,
        storage: Storage,
        handed_over: ExitStack,
        owned: ExitStack,
    ) -> None:
        self._spec = spec
        self._storage = storage
        self._handed_over = handed_over
        self._owned = owned

    def open(
        self,
        qmp: socket.socket,
        channels: tuple[tuple[Channel, socket.socket], ...],
        config: bytes | None,
        files: FirmwareFiles | None,
    ) -> Descriptors:
        """Open everything.

        `channels` are QEMU's ends. Raises ConfigError for what host or image lack, InfrastructureError.
        """
        spec = self._spec
        return Descriptors(
            qmp=qmp.fileno(),
            channels=tuple((channel, end.fileno()) for channel, end in channels),
            primary=self._primary(),
            disks=tuple(self._additional(number) for number in range(1, len(spec.disks) + 1)),
            medium=media.open_medium(spec, self._storage, self._handed_over),
            ignition=None if config is None else self._memory_file("ignition", config),
            efi_variables=self._keep(firmware.private_variables(files)) if files else None,
            tpm=self._socket(tpm.start(self._owned)) if spec.swtpm else None,
            host_directories=tuple(
                self._socket(hostdirs.start(directory, self._owned)) for directory in spec.host_directories
            ),
        )

    def _primary(self) -> DiskFile | None:
        spec, index = self._spec, self._spec.boot_index(PRIMARY)
        match spec.primary:
            case None:
                return None
            case EmptyDisk(size_gib=size):
                empty, format = self._storage.empty_primary(size)
                return DiskFile(self._keep(empty), format, spec.primary_disk, index)
            case DiskImage() as image:
                overlay = self._keep(self._storage.primary(image, spec.primary_size))
                self._prepare(overlay, image)
                return DiskFile(overlay, "qcow2", spec.primary_disk, index)

    def _prepare(self, overlay: int, image: DiskImage) -> None:
        """Change the disk before the guest first sees it. A clone has its template's disk."""
        spec = self._spec
        if self._storage.source is not None:
            return
        if spec.primary_disk.sectors is SectorSize.NATIVE_4K:
            self._check_native_4k(overlay, image)
        if spec.kernel_args or spec.firstboot_kernel_args:
            bootargs.insert(overlay, kernel=spec.kernel_args, firstboot=spec.firstboot_kernel_args)

    def _check_native_4k(self, overlay: int, image: DiskImage) -> None:
        if self._spec.firmware is Firmware.BIOS:
            raise ConfigError("a BIOS cannot boot from a 4k disk", hint="use UEFI firmware, or 512e")
        if partition.read_table(overlay).sector != 4096:
            raise ConfigError(
                "the image is laid out for sectors of 512 bytes and cannot boot from a 4k disk",
                file=image.path,
                hint="give an image made for such disks (nosa's metal4k is) with --qemu-image, or use 512e",
            )

    def _additional(self, number: int) -> DiskFile:
        disk, index = self._spec.disks[number - 1], self._spec.boot_index(f"disk{number}")
        if disk.size_gib is None:
            raise ConfigError("an additional disk needs a size", hint="write it as 10G")
        descriptor, format = self._storage.additional(number, disk.size_gib)
        return DiskFile(self._keep(descriptor), format, disk.options, index)

    def _memory_file(self, name: str, content: bytes) -> int:
        descriptor = self._keep(os.memfd_create(name))
        os.write(descriptor, content)
        return descriptor

    def _keep(self, descriptor: int) -> int:
        self._handed_over.callback(os.close, descriptor)
        return descriptor

    def _socket(self, end: socket.socket) -> int:
        return self._handed_over.enter_context(end).fileno()

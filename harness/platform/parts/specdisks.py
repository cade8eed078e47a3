"""The open disk files of a spec, prepared for the first boot."""

from __future__ import annotations

import os
from contextlib import ExitStack

from harness.errors import ConfigError
from harness.machine.boot import PRIMARY, DiskImage, EmptyDisk
from harness.machine.spec import Firmware, MachineSpec, SectorSize
from harness.platform.parts import bootargs, partition
from harness.platform.parts.diskargs import DiskFile
from harness.platform.parts.storage import Storage


class SpecDisks:
    """The opener of a spec's disks. Descriptors live on `handed_over`.

    Raises ConfigError for what the image lacks, InfrastructureError.
    """

    def __init__(self, spec: MachineSpec, storage: Storage, handed_over: ExitStack) -> None:
        self._spec = spec
        self._storage = storage
        self._handed_over = handed_over

    def primary(self) -> DiskFile | None:
        """Open the primary disk, prepared for its first boot; None when the spec has none."""
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

    def additional(self) -> tuple[DiskFile, ...]:
        """Open the additional disks."""
        return tuple(self._additional(number) for number in range(1, len(self._spec.disks) + 1))

    def _additional(self, number: int) -> DiskFile:
        disk, index = self._spec.disks[number - 1], self._spec.boot_index(f"disk{number}")
        if disk.size_gib is None:
            raise ConfigError("an additional disk needs a size", hint="write it as 10G")
        descriptor, format = self._storage.additional(number, disk.size_gib)
        return DiskFile(self._keep(descriptor), format, disk.options, index)

    def _keep(self, descriptor: int) -> int:
        self._handed_over.callback(os.close, descriptor)
        return descriptor

"""The reference OS laid out for sectors of 4096 bytes, as `metal4k` is of a real build.

Its partitions start at whole MiB and its ext4 has blocks of 4096 bytes: only the partition table and the FAT
of the ESP count in sectors. So an overlay of the image with another table and another ESP is enough.
"""

from __future__ import annotations

import os
from pathlib import Path

from harness.platform.parts import disks, partition
from harness.util.process import run_tool

SECTOR = 4096
MIB = 1 << 20


def laid_out(image: Path, directory: Path) -> Path:
    """A qcow2 overlay of `image` in `directory` that UEFI boots from a 4k disk."""
    target = directory / "native-4k.qcow2"
    overlay = disks.create_overlay(image, "qcow2", named=target)
    try:
        table = partition.read_table(overlay)
        efi = table.named("EFI-SYSTEM")
        assert efi is not None
        firmware_files = partition.copy_out(overlay, efi)
        try:
            esp = _esp(firmware_files, efi.size, directory)
        finally:
            os.close(firmware_files)
    finally:
        os.close(overlay)
    scratch = _partitioned(table, directory)
    size = scratch.stat().st_size
    _write(target, esp, 0, efi.offset, efi.size)
    for offset in (0, size - MIB):  # the table and its copy
        _write(target, scratch, offset, offset, MIB)
    for file in (esp, scratch):
        file.unlink()
    return target


def _esp(old: int, size: int, directory: Path) -> Path:
    """The files of the ESP `old` (an open file) on a FAT whose sectors have 4096 bytes."""
    new, loader = directory / "esp.img", directory / "BOOTX64.EFI"
    run_tool(["mkfs.fat", "-F", "16", "-S", str(SECTOR), "-C", str(new), str(size // 1024)])
    path = "::/EFI/BOOT/BOOTX64.EFI"
    run_tool(["mcopy", "-i", disks.through_descriptor(old), path, str(loader)], pass_fds=[old])
    run_tool(["mmd", "-i", str(new), "::/EFI", "::/EFI/BOOT"])
    run_tool(["mcopy", "-i", str(new), str(loader), path])
    return new


def _partitioned(table: partition.Table, directory: Path) -> Path:
    """A sparse file with the same partitions in a table for 4096-byte sectors."""
    scratch, script = directory / "table.raw", directory / "table.sfdisk"
    last = table.partitions[-1]
    with scratch.open("wb") as file:
        file.truncate(last.offset + last.size + MIB)
    # The GUID by which the first boot knows an image that is fresh from the factory.
    lines = ["label: gpt", "label-id: 00000000-0000-4000-A000-000000000001", "unit: sectors"]
    for part in table.partitions:
        kind = "U" if part.name == "EFI-SYSTEM" else "L"
        name = f"start={part.offset // SECTOR}, size={part.size // SECTOR}, type={kind}, name={part.name}"
        lines.append(name)
    script.write_text("\n".join(lines) + "\n")
    commands = f"I\n{script}\nw\n".encode()
    run_tool(["fdisk", "--sector-size", str(SECTOR), "--wipe", "never", str(scratch)], input=commands)
    script.unlink()
    return scratch


def _write(target: Path, source: Path, source_offset: int, offset: int, size: int) -> None:
    """Copy a range of `source` into the guest's view of the qcow2 image `target`."""
    piece = target.with_name("piece")
    with source.open("rb") as file:
        file.seek(source_offset)
        piece.write_bytes(file.read(size))
    run_tool(["qemu-io", "-f", "qcow2", "-c", f"write -q -s {piece} {offset} {size}", str(target)])
    piece.unlink()

"""Partitions inside a disk image: found by label, copied out, changed in place."""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass

from harness.errors import ConfigError
from harness.platform.parts.disks import overwrite, through_descriptor
from harness.util.process import run_tool

_TABLE_BYTES = 64 * 1024
_BLOCK = 4096
_CHUNK = 1 << 20
_SIGNATURE = b"EFI PART"


@dataclass(frozen=True)
class Partition:
    """A GPT entry. Offset and size are bytes, from the start of the disk."""

    name: str
    offset: int
    size: int


@dataclass(frozen=True)
class Table:
    """A GUID partition table (UEFI specification, 5.3) and the sector size it was written for."""

    sector: int
    partitions: tuple[Partition, ...]

    def named(self, name: str) -> Partition | None:
        return next((partition for partition in self.partitions if partition.name == name), None)


def read_table(overlay: int) -> Table:
    """Read the table of a qcow2 image given as an open file. Raises ConfigError when it has none."""
    head = copy_out(overlay, Partition("", 0, _TABLE_BYTES))
    try:
        table = parse_table(os.pread(head, _TABLE_BYTES, 0))
    finally:
        os.close(head)
    if table is None:
        raise ConfigError("the disk image has no GUID partition table")
    return table


def parse_table(head: bytes) -> Table | None:
    """Parse the first 64 KiB of a disk. Returns None when they hold no GPT."""
    for sector in (512, 4096):
        header = head[sector : sector + 92]
        if not header.startswith(_SIGNATURE):
            continue
        first, count, entry_size = struct.unpack_from("<QII", header, 72)
        found = []
        for number in range(count):
            at = first * sector + number * entry_size
            entry = head[at : at + 128]
            if len(entry) < 128 or entry[:16] == bytes(16):
                continue
            start, end = struct.unpack_from("<QQ", entry, 32)
            name = entry[56:128].decode("utf-16-le", "replace").rstrip("\0")
            found.append(Partition(name, start * sector, (end - start + 1) * sector))
        return Table(sector, tuple(found))
    return None


def copy_out(overlay: int, partition: Partition) -> int:
    """Copy the partition to an anonymous, sparse file in memory; the caller closes it."""
    copy = os.memfd_create("kola-partition")
    try:
        source = _window(overlay, partition.offset, partition.size)
        run_tool(
            ["qemu-img", "convert", "-q", "--image-opts", source, "-O", "raw", through_descriptor(copy)],
            pass_fds=[overlay, copy],
        )
    except BaseException:
        os.close(copy)
        raise
    return copy


def duplicate(copy: int) -> int:
    """Copy to another anonymous file; the caller closes it."""
    twin = os.memfd_create("kola-partition")
    os.ftruncate(twin, os.fstat(copy).st_size)
    for start, end in _extents(copy):
        for offset in range(start, end, _CHUNK):
            os.pwrite(twin, os.pread(copy, min(_CHUNK, end - offset), offset), offset)
    return twin


def write_back(overlay: int, partition: Partition, before: int, after: int) -> int:
    """Write the blocks that differ between two copies into the overlay; return the number of bytes
    written.
    """
    return overwrite(
        overlay, ((partition.offset + offset, data) for offset, data in differences(before, after))
    )


def differences(before: int, after: int) -> Iterator[tuple[int, bytes]]:
    """Yield runs of changed blocks. A block that became a hole is missed, but file systems make none."""
    run_start, run = 0, bytearray()
    for start, end in _extents(after):
        for chunk in range(start, end, _CHUNK):
            size = min(_CHUNK, end - chunk)
            old, new = os.pread(before, size, chunk), os.pread(after, size, chunk)
            if old == new:
                continue
            for at in range(0, size, _BLOCK):
                if old[at : at + _BLOCK] == new[at : at + _BLOCK]:
                    continue
                if run and run_start + len(run) != chunk + at:
                    yield run_start, bytes(run)
                    run.clear()
                if not run:
                    run_start = chunk + at
                run += new[at : at + _BLOCK]
    if run:
        yield run_start, bytes(run)


def _extents(descriptor: int) -> Iterator[tuple[int, int]]:
    size = os.fstat(descriptor).st_size
    position = 0
    while position < size:
        try:
            start = os.lseek(descriptor, position, os.SEEK_DATA)
        except OSError:
            return
        position = os.lseek(descriptor, start, os.SEEK_HOLE)
        yield start, position


def _window(overlay: int, offset: int, size: int) -> str:
    return (
        f"driver=raw,offset={offset},size={size},"
        f"file.driver=qcow2,file.file.driver=file,file.file.filename={through_descriptor(overlay)}"
    )

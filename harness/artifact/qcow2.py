"""Checks of a qcow2 image before QEMU opens it: completeness, and the other files it refers to.

Format: docs/interop/qcow2.rst of QEMU, versions 2 and 3.
"""

from __future__ import annotations

import os
import re
import struct
import sys
from array import array
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from harness.errors import ConfigError
from harness.util.sizes import show_size

MAGIC = b"QFI\xfb"

_HEAD = struct.Struct(">4sIQIIQIIQQIIQ")
_HEAD_3 = struct.Struct(">QQQII")
_LENGTH_2 = 72
_DATA_FILE_NAME = 0x44415441
_EXTERNAL_DATA = 1 << 2
_EXTENDED_L2 = 1 << 4
_OFFSET = 0x00FFFFFFFFFFFE00
_COMPRESSED = 1 << 62
_ZERO = 1
_LONGEST_NAME = 1023
_LARGEST_L1 = 4 * 1024 * 1024  # entries; QEMU's own limit is 32 MiB
_LONGEST_CHAIN = 16
_HINT = "build or download it again; qemu-img check says more"


@dataclass(frozen=True)
class Header:
    """The header fields that are checked here. `links` holds role and name of other files."""

    version: int
    cluster_bits: int
    l1_entries: int
    l1_offset: int
    refcounts_offset: int
    refcounts_clusters: int
    external_data: bool
    extended_l2: bool
    links: tuple[tuple[str, str], ...]


def check_qcow2(path: Path, *, shown: Path, linked: bool = False) -> None:
    """Raise ConfigError for an image that is cut short, or that makes QEMU read files elsewhere.

    Backing and data files in the image's own directory are parts of it, and are checked too. Others are
    refused unless `linked` is set. Messages name `shown`.
    """
    _check(path, shown, linked, depth=0)


def _check(path: Path, shown: Path, linked: bool, depth: int) -> None:
    try:
        with path.open("rb") as file:
            if file.read(4) != MAGIC:
                return  # a raw backing or data file
            header = _header(file, shown)
            _check_whole(file, header, path.stat().st_size, shown)
    except OSError as error:
        raise ConfigError(f"cannot be read: {error.strerror}", file=shown) from error
    for role, name in header.links:
        if linked:
            continue
        target = _beside(path, name)
        if target is None or depth == _LONGEST_CHAIN:
            raise ConfigError(
                f"its {role} file is elsewhere on this host: {name[:200]}",
                file=shown,
                hint="QEMU would read that file; --qemu-image-backing says that this is meant",
            )
        if not target.is_file():
            raise ConfigError(f"its {role} file does not exist: {name[:200]}", file=shown, hint=_HINT)
        _check(target, target, linked, depth + 1)


def _beside(path: Path, name: str) -> Path | None:
    """Return the file that an image's reference names, if it is in the image's own directory, else None."""
    name = name.removeprefix("file:")
    if re.match(r"[^/]*:", name):  # json:, nbd://, host_device: …
        return None
    try:
        target = (path.parent / name).resolve()
        known = target.is_file() or not target.exists()
    except (OSError, ValueError):  # no name that a file can have
        return None
    return target if known and target.parent == path.resolve().parent else None


def _header(file: BinaryIO, shown: Path) -> Header:
    file.seek(0)
    head = file.read(_HEAD.size).ljust(_HEAD.size, b"\0")
    _, version, backing_at, backing_size, cluster_bits, _, _, l1_entries, l1_at, refs_at, refs, _, _ = (
        _HEAD.unpack(head)
    )
    if version not in (2, 3):
        raise ConfigError(
            f"qcow2 version {version} is unknown",
            file=shown,
            hint="versions 2 and 3 exist; the file may be damaged",
        )
    incompatible, length = 0, _LENGTH_2
    if version == 3:
        incompatible, _, _, _, length = _HEAD_3.unpack(file.read(_HEAD_3.size).ljust(_HEAD_3.size, b"\0"))
    links = []
    if backing_at:
        if backing_size > _LONGEST_NAME:
            raise ConfigError("damaged: the name of its backing file is too long", file=shown, hint=_HINT)
        _require(backing_at + backing_size, os.fstat(file.fileno()).st_size, shown)
        file.seek(backing_at)
        links.append(("backing", _text(file.read(backing_size))))
    data_file = _extension(file, length, _DATA_FILE_NAME)
    if data_file is not None:
        links.append(("data", data_file))
    return Header(
        version=version,
        cluster_bits=cluster_bits,
        l1_entries=l1_entries,
        l1_offset=l1_at,
        refcounts_offset=refs_at,
        refcounts_clusters=refs,
        external_data=bool(incompatible & _EXTERNAL_DATA),
        extended_l2=bool(incompatible & _EXTENDED_L2),
        links=tuple(links),
    )


def _extension(file: BinaryIO, at: int, wanted: int) -> str | None:
    """Return the text of a header extension. Extensions lie in the first cluster; type 0 ends them."""
    while 0 < at < 1 << 21:
        file.seek(at)
        head = file.read(8)
        if len(head) < 8:
            return None
        kind, length = struct.unpack(">II", head)
        if kind == 0:
            return None
        if kind == wanted:
            return _text(file.read(min(length, _LONGEST_NAME)))
        at += 8 + (length + 7) // 8 * 8
    return None


def _check_whole(file: BinaryIO, header: Header, size: int, shown: Path) -> None:
    """Check that every table, and the start of every cluster that the tables name, lies within the file."""
    if header.l1_entries == 0:
        return
    if not 9 <= header.cluster_bits <= 21 or header.l1_entries > _LARGEST_L1:
        raise ConfigError("damaged: its header makes no sense", file=shown, hint=_HINT)
    cluster = 1 << header.cluster_bits
    _require(header.refcounts_offset + header.refcounts_clusters * cluster, size, shown)
    _require(header.l1_offset + header.l1_entries * 8, size, shown)
    for entry in _table(file, header.l1_offset, header.l1_entries):
        table_at = entry & _OFFSET
        if table_at == 0:
            continue
        _require(table_at + cluster, size, shown)
        entries = _table(file, table_at, cluster // 8)
        if not header.external_data:
            _require(_last(entries[::2] if header.extended_l2 else entries, header.cluster_bits), size, shown)


def _last(entries: array[int], cluster_bits: int) -> int:
    """Return the end of the first byte of the last cluster that a second-level table names; 0 for none."""
    compressed_offset = (1 << (62 - (cluster_bits - 8))) - 1
    last = 0
    for entry in entries:
        if entry & _COMPRESSED:
            last = max(last, (entry & compressed_offset) + 1)
        elif entry & _OFFSET and not entry & _ZERO:
            last = max(last, (entry & _OFFSET) + 1)
    return last


def _table(file: BinaryIO, at: int, count: int) -> array[int]:
    table = array("Q")
    file.seek(at)
    table.frombytes(file.read(count * 8)[: count * 8])
    if sys.byteorder == "little":
        table.byteswap()
    return table


def _require(end: int, size: int, shown: Path) -> None:
    if end > size:
        raise ConfigError(
            f"cut short: its tables name data at {show_size(end)}, the file ends at {show_size(size)}",
            file=shown,
            hint=_HINT,
        )


def _text(name: bytes) -> str:
    return name.rstrip(b"\0").decode(errors="backslashreplace")

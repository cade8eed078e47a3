"""File formats recognised by their first bytes, so that a wrong file is refused before a machine boots."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path

from harness.artifact.qcow2 import MAGIC, check_qcow2
from harness.errors import ConfigError
from harness.util.sizes import MIB, show_size
from harness.util.userfile import open_user_file

SMALLEST_DISK = MIB

_HEAD = 33 * 1024
_ISO_MAGIC_AT = 32769


class Format(StrEnum):
    """The format of an uncompressed artifact."""

    QCOW2 = "qcow2"
    RAW = "raw"
    ISO = "iso"
    TAR = "tar"
    OTHER = "other"


_BY_KIND = {
    "qemu": Format.QCOW2,
    "openstack": Format.QCOW2,
    "metal": Format.RAW,
    "metal4k": Format.RAW,
    "live-iso": Format.ISO,
    "ostree": Format.TAR,
}

_KNOWN_HEADS = (
    (b"\x1f\x8b", "a gzip file; name it with .gz at the end and it is decompressed"),
    (b"\xfd7zXZ\0", "an xz file; name it with .xz at the end and it is decompressed"),
    (b"\x28\xb5\x2f\xfd", "a zstd file; name it with .zst at the end and it is decompressed"),
    (b"\x7fELF", "an ELF program"),
    (b"PK\x03\x04", "a zip archive"),
    (b"KDMV", "a VMDK image; convert it with qemu-img convert -O qcow2"),
    (b"vhdxfile", "a VHDX image; convert it with qemu-img convert -O qcow2"),
    (b"<!DOCTYPE", "an HTML page, as a failed download leaves it"),
    (b"<html", "an HTML page, as a failed download leaves it"),
    (b"version https://git-lfs", "a Git LFS pointer; fetch the file itself with git lfs pull"),
)


def format_of_kind(kind: str) -> Format:
    """Return the format that meta.json's image key `kind` implies."""
    return _BY_KIND.get(kind, Format.OTHER)


def check_format(path: Path, wanted: Format, *, shown: Path | None = None, linked: bool = False) -> None:
    """Raise ConfigError unless `path` is a file of format `wanted`. Messages name `shown` when given.

    `linked` allows a qcow2 whose backing or data file lies in another directory.
    """
    name = shown or path
    try:
        with open_user_file(path) as handle:
            head = handle.read(_HEAD)
        size = path.stat().st_size
    except OSError as error:
        raise ConfigError(f"cannot be read: {error.strerror}", file=name) from error
    if size == 0:
        raise ConfigError("the file is empty", file=name, hint="build or download it again")
    match wanted:
        case Format.QCOW2:
            if head[:4] != MAGIC:
                raise ConfigError("not a qcow2 image", file=name, hint=_looks_like(head))
            check_qcow2(path, shown=name, linked=linked)
        case Format.RAW:
            _check_raw(head, size, name)
        case Format.ISO:
            if head[_ISO_MAGIC_AT : _ISO_MAGIC_AT + 5] != b"CD001":
                raise ConfigError("not an ISO 9660 image", file=name, hint=_looks_like(head))
        case Format.TAR:
            if head[257:262] != b"ustar":
                raise ConfigError("not a tar archive", file=name, hint=_looks_like(head))
        case Format.OTHER:
            pass


def _check_raw(head: bytes, size: int, name: Path) -> None:
    if head[:4] == MAGIC:
        raise ConfigError(
            "named a raw disk, but is a qcow2 image", file=name, hint="rename it to end in .qcow2"
        )
    if size < SMALLEST_DISK:
        raise ConfigError(f"{show_size(size)} is too small for a disk", file=name, hint=_looks_like(head))
    if head[510:512] != b"\x55\xaa":
        raise ConfigError(
            "a raw disk without a partition table: no firmware boots it", file=name, hint=_looks_like(head)
        )


def _looks_like(head: bytes) -> str:
    if head[:4] == MAGIC:
        return "it is a qcow2 image"
    if head[_ISO_MAGIC_AT : _ISO_MAGIC_AT + 5] == b"CD001":
        return "it is an ISO image; give it with --qemu-iso"
    for magic, what in _KNOWN_HEADS:
        if head.startswith(magic):
            return f"it looks like {what}"
    if head[510:512] == b"\x55\xaa":
        return "it looks like a raw disk; name it .raw, or convert it with qemu-img convert -O qcow2"
    return "check the path; qemu-img info shows what a disk image is"

"""Initramfs archives as coreos-installer writes them: newc cpio in xz, byte for byte reproducible.

Format of newc: the Linux documentation, driver-api/early-userspace/buffer-format. The kernel unpacks xz only
with a CRC32 check.
"""

from __future__ import annotations

import lzma
import zlib
from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath

from harness.errors import ConfigError
from harness.installer import xz

_MAGIC = b"070701"
_HEADER = 110
_ALIGNMENT = 4
_TRAILER = "TRAILER!!!"
_DIRECTORY_MODE = 0o040755
_FILE_MODE = 0o100600
_XZ = b"\xfd7zXZ\0"
_GZIP = b"\x1f\x8b"
_ZSTD = b"\x28\xb5\x2f\xfd"


def pack(members: Mapping[str, bytes]) -> bytes:
    """Return an xz-compressed archive of these files, each preceded by the directories it needs."""
    return xz.compress(_archive(members))


def _archive(members: Mapping[str, bytes]) -> Iterator[bytes]:
    """Yield the archive in pieces: the installer's writer flushes after each file that it had to pad."""
    out = bytearray()
    known: set[PurePosixPath] = set()
    inode = 0
    for name in sorted(members):
        for parent in reversed(PurePosixPath(name).parents[:-1]):
            if parent not in known:
                known.add(parent)
                out += _member(str(parent), b"", inode, _DIRECTORY_MODE)
                inode += 1
        out += _member(name, members[name], inode, _FILE_MODE)
        inode += 1
        if len(members[name]) % _ALIGNMENT:
            yield bytes(out)
            out.clear()
    yield bytes(out + _member(_TRAILER, b"", 0, 0))


def _member(name: str, content: bytes, inode: int, mode: int) -> bytes:
    raw = name.encode() + b"\0"
    fields = (inode, mode, 0, 0, 1, 0, len(content), 0, 0, 0, 0, len(raw), 0)
    header = _MAGIC + b"".join(b"%08x" % field for field in fields) + raw
    return _padded(header) + _padded(content)


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % _ALIGNMENT)


def unpack(data: bytes) -> dict[str, bytes]:
    """Return the files of a sequence of archives, plain, gzip or xz, with zero bytes between them.

    A later file replaces an earlier one, as in the kernel. Raises ConfigError for anything else.
    """
    files: dict[str, bytes] = {}
    rest = data.lstrip(b"\0")
    while rest:
        if rest.startswith(_MAGIC):
            rest = _read(rest, files)
        else:
            plain, rest = _decompressed(rest)
            while plain := plain.lstrip(b"\0"):
                plain = _read(plain, files)
        rest = rest.lstrip(b"\0")
    return files


def _decompressed(data: bytes) -> tuple[bytes, bytes]:
    """Return the first compressed stream, decompressed, and the bytes that follow it."""
    try:
        if data.startswith(_XZ):
            xz = lzma.LZMADecompressor(format=lzma.FORMAT_XZ)
            return xz.decompress(data), xz.unused_data
        if data.startswith(_GZIP):
            gzip = zlib.decompressobj(wbits=31)
            return gzip.decompress(data), gzip.unused_data
    except (lzma.LZMAError, zlib.error) as error:
        raise ConfigError(f"an initramfs archive is damaged: {error}") from error
    kind = "zstd is not read here" if data.startswith(_ZSTD) else f"it begins with {data[:6]!r}"
    raise ConfigError(f"an initramfs archive is of an unknown format: {kind}")


def _read(data: bytes, files: dict[str, bytes]) -> bytes:
    """Add the files of one plain archive; return the bytes that follow it."""
    position = 0
    while True:
        header = data[position : position + _HEADER]
        if len(header) < _HEADER or not header.startswith(_MAGIC):
            raise ConfigError("an initramfs archive is cut short")
        try:
            fields = [int(header[at : at + 8], 16) for at in range(6, _HEADER, 8)]
        except ValueError as error:
            raise ConfigError("an initramfs archive is damaged: a field is no number") from error
        mode, size, name_size = fields[1], fields[6], fields[11]
        name = data[position + _HEADER : position + _HEADER + name_size - 1].decode(errors="replace")
        position += _aligned(_HEADER + name_size)
        content = data[position : position + size]
        position += _aligned(size)
        if name == _TRAILER:
            return data[position:]
        if mode & 0o170000 == 0o100000:
            files[name] = content


def _aligned(size: int) -> int:
    return size + -size % _ALIGNMENT

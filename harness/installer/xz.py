"""An encoder for xz streams of several blocks, which Python's lzma module does not offer.

Format: "The .xz File Format", version 1.0.4. coreos-installer ends a block wherever its cpio writer flushes.
"""

from __future__ import annotations

import lzma
import struct
import zlib
from collections.abc import Iterable

_HEADER = 12
_FOOTER = 12
_MAGIC_END = b"YZ"


def compress(pieces: Iterable[bytes]) -> bytes:
    """Return one stream with a block for each piece, with CRC32 checks, at preset 9."""
    blocks, records, header = [], [], b""
    for piece in pieces:
        stream = lzma.compress(piece, format=lzma.FORMAT_XZ, check=lzma.CHECK_CRC32, preset=9)
        header = stream[:_HEADER]
        (stored,) = struct.unpack("<I", stream[-8:-4])
        index = stream[-_FOOTER - 4 * (stored + 1) : -_FOOTER]
        blocks.append(stream[_HEADER : -_FOOTER - len(index)])
        records.append(_two_integers(index[2:]))
    index = b"\0" + _integer(len(records)) + b"".join(records)
    index += bytes(-len(index) % 4)
    index += struct.pack("<I", zlib.crc32(index))
    tail = struct.pack("<I", len(index) // 4 - 1) + header[6:8]
    footer = struct.pack("<I", zlib.crc32(tail)) + tail + _MAGIC_END
    return header + b"".join(blocks) + index + footer


def _two_integers(data: bytes) -> bytes:
    """Return the first two integers of variable length: the sizes of a block."""
    ends = [position for position, byte in enumerate(data) if not byte & 0x80]
    return data[: ends[1] + 1]


def _integer(value: int) -> bytes:
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)

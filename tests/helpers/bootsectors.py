"""Boot code of a few bytes that says one word on the first serial port: media to boot from in a second."""

from __future__ import annotations

import struct
from pathlib import Path

_SECTOR = 2048


def boot_sector(word: str) -> bytes:
    """A disk's first sector, or a network boot program: both are run in real mode at 0x7c00."""
    return _code(word).ljust(510, b"\0") + b"\x55\xaa"


def iso(word: str, *, as_disk: str) -> bytes:
    """A CD that says `word` (El Torito, no emulation); started as a disk it says `as_disk`."""
    image = bytearray(24 * _SECTOR)
    image[:512] = boot_sector(as_disk)
    image[16 * _SECTOR : 16 * _SECTOR + 7] = b"\x01CD001\x01"
    record = b"\0CD001\x01EL TORITO SPECIFICATION".ljust(0x47, b"\0") + struct.pack("<I", 19)
    image[17 * _SECTOR : 17 * _SECTOR + len(record)] = record
    image[18 * _SECTOR : 18 * _SECTOR + 7] = b"\xffCD001\x01"
    catalog = b"\x01".ljust(30, b"\0") + b"\x55\xaa" + struct.pack("<BBHBBHI", 0x88, 0, 0, 0, 0, 4, 20)
    image[19 * _SECTOR : 19 * _SECTOR + len(catalog)] = catalog
    image[20 * _SECTOR : 20 * _SECTOR + 512] = boot_sector(word)
    return bytes(image)


def kernel(word: str) -> bytes:
    """Return an image that boot loaders accept as a kernel (Linux/x86 boot protocol 2.02); it prints
    `word`.
    """
    image = bytearray(3 * 512)
    image[0x1F1] = 1  # one sector of setup code
    image[0x1FE:0x200] = b"\x55\xaa"
    image[0x200:0x206] = b"\xeb\x5eHdrS"  # jump to 0x260
    image[0x206:0x208] = b"\x02\x02"
    image[0x211] = 1  # load the rest high
    code = _code(word)
    image[0x260 : 0x260 + len(code)] = code
    return bytes(image)


def write(path: Path, content: bytes) -> Path:
    """A file of 4 MiB: SeaBIOS does not boot from a disk of less than a cylinder."""
    path.write_bytes(content.ljust(4 << 20, b"\0"))
    return path


def _code(word: str) -> bytes:
    """Return code that writes each byte to port 0x3f8 once the transmitter (bit 5 of 0x3fd) is ready, and
    halts.
    """
    said = b"".join(_WAIT + bytes([0xBA, 0xF8, 0x03, 0xB0, byte, 0xEE]) for byte in f"{word}\n".encode())
    return said + b"\xf4\xeb\xfd"


_WAIT = b"\xba\xfd\x03\xec\xa8\x20\x74\xfb"
"""mov dx, 0x3fd; again: in al, dx; test al, 0x20; jz again"""

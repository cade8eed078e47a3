"""The minimal ISO: a live ISO without its root file system, which the live system fetches over HTTP.

`miniso.dat` of a full image describes how to make it: a header and a table in Rust's bincode (little endian,
integers of variable length), a digest, and in xz the data that the full image lacks. Source of the format:
miniso.rs of coreos-installer.
"""

from __future__ import annotations

import hashlib
import json
import lzma
import struct
from dataclasses import dataclass
from pathlib import Path

from harness.artifact import Distro
from harness.errors import ConfigError
from harness.installer.copies import apply
from harness.installer.iso9660 import SECTOR
from harness.installer.isoimage import Embedded, IsoImage
from harness.installer.kargs import KargsEdit
from harness.machine.boot import Overwrite

_MAGIC = b"MINISO\0\0"
_VERSION = 1
_DIGEST = 32


@dataclass(frozen=True)
class _Copied:
    """A range of `length` bytes that both images share, at `target` of the minimal one and `source` of the
    full one.
    """

    target: int
    source: int
    length: int


class _Reader:
    """A reader of integers and bytes in bincode's variable encoding."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def take(self, size: int) -> bytes:
        piece = self._data[self._at : self._at + size]
        if len(piece) < size:
            raise ValueError("it ends too early")
        self._at += size
        return piece

    def integer(self) -> int:
        first = self.take(1)[0]
        if first < 251:
            return first
        form = {251: "<H", 252: "<I", 253: "<Q"}.get(first)
        if form is None:
            raise ValueError(f"an integer begins with {first}")
        value: int = struct.unpack(form, self.take(struct.calcsize(form)))[0]
        return value

    @property
    def rest(self) -> bytes:
        return self._data[self._at :]


def extract(full: IsoImage, target: Path, distro: Distro, *, rootfs_url: str = "") -> Path:
    """Write the minimal ISO of `full` to `target`; it fetches its root file system from `rootfs_url`.

    Raises ConfigError when the image has no such data or the result's digest is wrong.
    """
    name = f"{distro.installer.iso_dir.strip('/')}/miniso.dat"
    entry = full.iso.require(name)
    try:
        table, digest, packed = _parse(full.iso.read(entry))
        stored = lzma.LZMADecompressor(format=lzma.FORMAT_XZ).decompress(packed)
    except (ValueError, lzma.LZMAError) as error:
        raise ConfigError(f"{name} of the image cannot be read: {error}", file=full.path) from error
    found = hashlib.sha256()
    position = taken = 0
    with target.open("xb") as file:

        def put(data: bytes) -> None:
            file.write(data)
            found.update(data)

        for piece in table:
            put(stored[taken : taken + piece.target - position])
            taken += piece.target - position
            put(full.iso.read_range(piece.source, piece.length))
            position = piece.target + piece.length
        put(stored[taken:])
    if found.digest() != digest:
        raise ConfigError(
            f"the minimal ISO is not the one that {name} promises",
            file=full.path,
            hint="take an image that was not customized",
        )
    if rootfs_url:
        made = IsoImage(target, distro)
        live = [word for word in made.kargs.current.split() if word.startswith(f"{distro.liveiso_karg}=")]
        edit = KargsEdit(append=(f"{distro.live_karg('rootfs_url')}={rootfs_url}",), delete=tuple(live))
        default = KargsEdit(delete=tuple(live)).apply(made.kargs.default)
        apply(target, [*made.overwrites(Embedded(kargs=edit)), _default_changed(made, distro, default)])
    return target


def _default_changed(image: IsoImage, distro: Distro, default: str) -> Overwrite:
    """Return `kargs.json` with other default arguments and the same length, as the installer writes it."""
    entry = image.iso.require(f"{distro.installer.iso_dir.strip('/')}/kargs.json")
    described = json.loads(image.iso.read(entry))
    ordered = {"default": default, "files": described["files"], "size": described["size"]}
    text = json.dumps(ordered, indent=2, ensure_ascii=False)
    return Overwrite(entry.offset, text.encode().ljust(entry.length))


def _parse(data: bytes) -> tuple[list[_Copied], bytes, bytes]:
    reader = _Reader(data)
    if reader.take(len(_MAGIC)) != _MAGIC:
        raise ValueError(
            "it is empty, as before `pack minimal-iso`" if not data.strip(b"\0") else "no MINISO"
        )
    version = reader.integer()
    if version != _VERSION:
        raise ValueError(f"its version is {version}")
    reader.take(reader.integer())  # the version of the program
    table = [
        _Copied(reader.integer() * SECTOR, reader.integer() * SECTOR, reader.integer())
        for _ in range(reader.integer())
    ]
    digest = reader.take(_DIGEST)
    return table, digest, reader.take(reader.integer())

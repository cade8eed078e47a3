"""Read-only access to the files of an ISO 9660 image, without mounting it.

The primary volume descriptor is the only one read (ECMA-119). A file is found by its Rock Ridge name
(IEEE P1282) or by its primary name, as coreos-installer finds it: upper case, without `;1` and a final dot.
A name longer than 8.3 also matches its shortened form, because an image of level 1 stores nothing else.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from harness.errors import ConfigError

SECTOR = 2048
_FIRST_DESCRIPTOR = 16
_LAST_DESCRIPTOR = 64
_DIRECTORY = 0x02


@dataclass(frozen=True)
class Entry:
    """A file or directory of the image. `offset` and `length` are bytes in the image."""

    path: PurePosixPath
    primary_name: str
    offset: int
    length: int
    is_directory: bool

    @property
    def name(self) -> str:
        return self.path.name


class Iso9660:
    """An ISO 9660 image. Raises ConfigError for a file that is not an ISO image or is cut short."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._size = path.stat().st_size
            with path.open("rb") as file:
                descriptor = self._primary_descriptor(file)
        except OSError as error:
            raise ConfigError(f"cannot be read: {error.strerror}", file=path) from error
        self.volume_id = descriptor[40:72].decode("ascii", errors="replace").rstrip()
        self.volume_size = struct.unpack_from("<I", descriptor, 80)[0] * SECTOR
        if self._size < self.volume_size:
            raise ConfigError(
                f"the image has {self._size} bytes, its volume descriptor says {self.volume_size}",
                file=path,
                hint="the file was cut short: fetch or build it again",
            )
        root = descriptor[156:190]
        self._root = Entry(
            PurePosixPath("/"),
            "",
            struct.unpack_from("<I", root, 2)[0] * SECTOR,
            struct.unpack_from("<I", root, 10)[0],
            True,
        )

    def _primary_descriptor(self, file: BinaryIO) -> bytes:
        for number in range(_FIRST_DESCRIPTOR, _LAST_DESCRIPTOR):
            file.seek(number * SECTOR)
            sector = file.read(SECTOR)
            if len(sector) < SECTOR or sector[1:6] != b"CD001" or sector[0] == 255:
                break
            if sector[0] == 1:
                return sector
        raise ConfigError("is no ISO 9660 image", file=self.path, hint="give the live ISO of a build")

    def find(self, name: str) -> Entry | None:
        """Return the file or directory `name` (`nestos/kargs.json`), or None when the image does not have
        it.
        """
        found = self._root
        for part in PurePosixPath(name).parts:
            if part == "/":
                continue
            if not found.is_directory:
                return None
            match = next((entry for entry in self.entries(found) if _matches(entry, part)), None)
            if match is None:
                return None
            found = match
        return found

    def require(self, name: str) -> Entry:
        """Return the same as `find`. Raises ConfigError for a missing file."""
        found = self.find(name)
        if found is None:
            raise ConfigError(f"the image has no {name}", file=self.path, hint="is this a live ISO?")
        return found

    def read(self, entry: Entry) -> bytes:
        """Return the content of a file."""
        return self.read_range(entry.offset, entry.length)

    def read_range(self, offset: int, length: int) -> bytes:
        """Return `length` bytes of the image from `offset` on."""
        with self.path.open("rb") as file:
            file.seek(offset)
            data = file.read(length)
        if len(data) != length:
            raise ConfigError(f"ends before byte {offset + length}", file=self.path)
        return data

    def entries(self, directory: Entry | None = None) -> list[Entry]:
        """Return the entries of a directory, by default the root, in the order of the image."""
        where = directory or self._root
        return list(_records(self, where))

    def walk(self) -> Iterator[Entry]:
        """Yield every file and directory below the root."""
        pending = [self._root]
        while pending:
            for entry in self.entries(pending.pop()):
                yield entry
                if entry.is_directory:
                    pending.append(entry)


def _records(image: Iso9660, directory: Entry) -> Iterator[Entry]:
    data = image.read(directory)
    position = 0
    while position < len(data):
        size = data[position]
        if size == 0:  # a record never crosses a sector: the rest of this one is empty
            position = (position // SECTOR + 1) * SECTOR
            continue
        record = data[position : position + size]
        position += size
        name_length = record[32]
        raw = record[33 : 33 + name_length]
        if raw in (b"\0", b"\1"):
            continue
        primary = raw.decode("ascii", errors="replace").partition(";")[0].rstrip(".")
        use = record[33 + name_length + (1 - name_length % 2) :]
        name = _rock_ridge_name(image, use) or primary
        yield Entry(
            directory.path / name,
            primary,
            struct.unpack_from("<I", record, 2)[0] * SECTOR,
            struct.unpack_from("<I", record, 10)[0],
            bool(record[25] & _DIRECTORY),
        )


def _rock_ridge_name(image: Iso9660, use: bytes) -> str:
    """Return the name in the NM fields of a System Use area (IEEE P1281); empty when it has none."""
    name = b""
    position = 0
    while position + 4 <= len(use):
        signature, length = use[position : position + 2], use[position + 2]
        if length < 4:
            break
        field = use[position : position + length]
        position += length
        if signature == b"NM":
            name += field[5:]
        elif signature == b"CE":
            block, offset, size = (struct.unpack_from("<I", field, at)[0] for at in (4, 12, 20))
            use, position = image.read_range(block * SECTOR + offset, size), 0
    return name.decode(errors="replace")


def _matches(entry: Entry, wanted: str) -> bool:
    upper = wanted.upper().rstrip(".")
    return entry.name.lower() == wanted.lower() or entry.primary_name in (upper, _short(upper))


def _short(upper: str) -> str:
    stem, _, suffix = upper.rpartition(".") if "." in upper else (upper, "", "")
    return f"{stem[:8]}.{suffix[:3]}" if suffix else stem[:8]

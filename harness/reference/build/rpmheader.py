"""Write rpm headers: the entries of an rpm database, one per package of the distribution.

The format is that of rpm's manual, "RPM V4 Package format" and "Package tags": a magic, the number of index
entries and the size of the data, sixteen bytes per index entry, the data. `rpmdb --importdb` reads any number
of them, one after the other.
"""

from __future__ import annotations

import stat
import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from harness.reference.build.packages import Package

_MAGIC = bytes.fromhex("8eade80100000000")
_INT16, _INT32, _STRING, _STRING_ARRAY, _I18N = 3, 4, 6, 8, 9
_CHAR = 1
_EQUAL = 8
_MD5 = 1


@dataclass(frozen=True)
class InstalledFile:
    """A path of a package: absolute, with its `lstat` data; `md5` is empty except for files."""

    path: str
    mode: int
    size: int
    mtime: int
    md5: str = ""
    target: str = ""


@dataclass(frozen=True)
class InstalledPackage:
    """An entry of the database. `provides` are names in addition to the package's own."""

    package: Package
    summary: str
    files: tuple[InstalledFile, ...]
    provides: tuple[str, ...] = ()


def header(installed: InstalledPackage, *, timestamp: int) -> bytes:
    """Return the header of an installed package, as if built and installed at `timestamp`."""
    package = installed.package
    evr = (f"{package.epoch}:" if package.epoch else "") + f"{package.version}-{package.release}"
    size = sum(file.size for file in installed.files)
    tags: list[tuple[int, int, Sequence[str] | Sequence[int]]] = [
        (100, _STRING_ARRAY, ["C"]),
        (1000, _STRING, [package.name]),
        (1001, _STRING, [package.version]),
        (1002, _STRING, [package.release]),
        (1004, _I18N, [installed.summary]),
        (1005, _I18N, [installed.summary]),
        (1006, _INT32, [timestamp]),
        (1008, _INT32, [timestamp]),
        (1009, _INT32, [min(size, 0xFFFFFFFF)]),
        (1011, _STRING, ["Debian, packaged as .deb; entered by the kola reference OS"]),
        (1014, _STRING, ["see the distribution's package"]),
        (1016, _I18N, ["Unspecified"]),
        (1021, _STRING, ["linux"]),
        (1022, _STRING, [package.arch]),
        (1044, _STRING, [f"{package.name}-{package.version}-{package.release}.src.rpm"]),
        (1047, _STRING_ARRAY, [package.name, *installed.provides]),
        (1112, _INT32, [_EQUAL, *(0 for _ in installed.provides)]),
        (1113, _STRING_ARRAY, [evr, *("" for _ in installed.provides)]),
        (5011, _INT32, [_MD5]),
    ]
    if package.epoch:
        tags.append((1003, _INT32, [package.epoch]))
    if installed.files:
        tags += _file_tags(installed.files)
    return _encode(sorted(tags, key=lambda tag: tag[0]))


def _file_tags(files: Sequence[InstalledFile]) -> list[tuple[int, int, Sequence[str] | Sequence[int]]]:
    ordered = sorted(files, key=lambda file: file.path)
    parents = [file.path.rpartition("/")[0] + "/" for file in ordered]
    directories = sorted(set(parents))
    index = {name: number for number, name in enumerate(directories)}
    count = len(ordered)
    return [
        (1028, _INT32, [min(file.size, 0xFFFFFFFF) for file in ordered]),
        (1029, _CHAR, [0] * count),
        (1030, _INT16, [file.mode for file in ordered]),
        (1033, _INT16, [0] * count),
        (1034, _INT32, [file.mtime for file in ordered]),
        (1035, _STRING_ARRAY, [file.md5 for file in ordered]),
        (1036, _STRING_ARRAY, [file.target for file in ordered]),
        # Configuration, marked like rpm's %config: not replaced unless requested.
        (1037, _INT32, [_config_flag(file) for file in ordered]),
        (1039, _STRING_ARRAY, ["root"] * count),
        (1040, _STRING_ARRAY, ["root"] * count),
        (1045, _INT32, [0xFFFFFFFF] * count),
        (1095, _INT32, [1] * count),
        (1096, _INT32, list(range(1, count + 1))),
        (1097, _STRING_ARRAY, [""] * count),
        (1116, _INT32, [index[parent] for parent in parents]),
        (1117, _STRING_ARRAY, [file.path.rpartition("/")[2] for file in ordered]),
        (1118, _STRING_ARRAY, directories),
    ]


def _config_flag(file: InstalledFile) -> int:
    return int(stat.S_ISREG(file.mode) and file.path.startswith("/etc/"))


def _encode(tags: Iterable[tuple[int, int, Sequence[str] | Sequence[int]]]) -> bytes:
    index = b""
    data = bytearray()
    entries = 0
    for tag, kind, values in tags:
        width = {_INT16: 2, _INT32: 4}.get(kind, 1)
        data.extend(b"\0" * (-len(data) % width))
        index += struct.pack(">IIII", tag, kind, len(data), len(values))
        entries += 1
        for value in values:
            if isinstance(value, str):
                data.extend(value.encode(errors="surrogateescape") + b"\0")
            else:
                data.extend(value.to_bytes(width, "big"))
    return _MAGIC + struct.pack(">II", entries, len(data)) + index + bytes(data)

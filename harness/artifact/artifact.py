"""A file that a build produced or the user named, made ready for a machine."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from harness.artifact.cache import ArtifactCache
from harness.artifact.formats import Format, check_format, format_of_kind
from harness.artifact.qcow2 import MAGIC
from harness.artifact.unpack import Compression, unpack
from harness.errors import ConfigError
from harness.util.sizes import show_size

_RAW_SUFFIXES = frozenset({".raw", ".img"})


def _silent(message: str) -> None:
    """Discard `message`: the default of `notice`."""


@dataclass(frozen=True, kw_only=True)
class Artifact:
    """A disk image, ISO, kernel or container archive. Sizes are bytes; checksums are those of meta.json.

    `format` is that of the uncompressed content. `origin` is the file that errors name: the meta.json that
    lists the artifact, or the artifact itself. `linked` allows a disk whose backing or data file lies
    elsewhere.
    """

    kind: str
    path: Path
    format: Format
    sha256: str | None = None
    size: int | None = None
    uncompressed_sha256: str | None = None
    uncompressed_size: int | None = None
    origin: Path | None = None
    linked: bool = False

    @classmethod
    def from_file(cls, path: Path, *, kind: str = "qemu", linked: bool = False) -> Artifact:
        """Check and return a file given as `--qemu-image` (kind `qemu`) or `--qemu-iso` (`live-iso`).

        A disk is qcow2, or raw when its name ends in .raw or .img; either may be compressed. Raises
        ConfigError.
        """
        if not path.exists():
            raise ConfigError("no such file", file=path, hint=_missing_hint(path))
        if path.is_dir():
            hint = "name the image file itself, or give the build directory as --workdir"
            raise ConfigError("is a directory, not an image", file=path, hint=hint)
        compression = Compression.of(path)
        inner = Path(path.stem) if compression else path
        wanted = format_of_kind(kind)
        if wanted is Format.QCOW2 and inner.suffix in _RAW_SUFFIXES and not _is_qcow2(path):
            wanted = Format.RAW
        artifact = cls(kind=kind, path=path.resolve(), format=wanted, origin=path, linked=linked)
        check_format(path, Format.OTHER if compression else wanted, linked=linked)
        return artifact

    @property
    def compression(self) -> Compression | None:
        return Compression.of(self.path)

    def identity(self) -> str:
        """A cheap identifier of the content, usable as a cache key and a file name.

        It is the uncompressed checksum where decompression verifies it. For files used in place it is path,
        size, time and inode, since nothing has verified their checksum in meta.json.
        """
        if self.compression and self.uncompressed_sha256:
            return self.uncompressed_sha256
        self._check_present()
        seen = self.path.stat()
        facts = f"{self.path.resolve()}\0{seen.st_size}\0{seen.st_mtime_ns}\0{seen.st_ino}"
        return "file-" + hashlib.sha256(facts.encode()).hexdigest()[:40]

    def ready(self, cache: Path | None = None, *, notice: Callable[[str], None] = _silent) -> Path:
        """Return the path of the uncompressed file, which is read-only by convention.

        The file is decompressed once per host below `cache` (default: the user's cache), compared with
        `uncompressed-sha256`, and kept until this process ends. Raises ConfigError for a file that is
        missing, damaged or of another format.
        """
        self._check_present()
        compression = self.compression
        if compression is None:
            check_format(self.path, self.format, linked=self.linked)
            return self.path
        store = ArtifactCache(cache) if cache is not None else ArtifactCache.default()

        def fill(partial: Path) -> None:
            notice(f"decompressing {self.path.name} (once; kept in {store.entries})")
            self._check_sum(unpack(self.path, partial, compression))
            self._check_size(partial)
            check_format(partial, self.format, shown=self.path)

        return store.obtain(
            self.identity(),
            self.path.stem,
            fill=fill,
            valid=self._is_whole,
            on_wait=lambda: notice(f"waiting for another kola that decompresses {self.path.name}"),
        )

    def _check_present(self) -> None:
        if not self.path.is_file():
            raise ConfigError(
                f"the {self.kind} artifact {self.path} does not exist",
                file=self.origin if self.origin != self.path else None,
                hint=_missing_hint(self.path),
            )
        actual = self.path.stat().st_size
        if self.size is not None and actual != self.size:
            raise ConfigError(
                f"{self.path.name} has {actual} bytes, its meta.json says {self.size}",
                file=self.path,
                hint="the file was cut short or changed after the build; build or fetch it again",
            )

    def _check_sum(self, actual: str) -> None:
        if self.uncompressed_sha256 is not None and actual != self.uncompressed_sha256:
            raise ConfigError(
                "decompresses to something else than its meta.json says\n"
                f"  uncompressed-sha256: {self.uncompressed_sha256}\n"
                f"  sha256 found:        {actual}",
                file=self.path,
                hint="the file was changed after the build; build or fetch it again",
            )

    def _check_size(self, unpacked: Path) -> None:
        actual = unpacked.stat().st_size
        if self.uncompressed_size is not None and actual != self.uncompressed_size:
            raise ConfigError(
                f"decompresses to {actual} bytes, its meta.json says {self.uncompressed_size}",
                file=self.path,
                hint="the file was changed after the build; build or fetch it again",
            )

    def _is_whole(self, found: Path) -> bool:
        if not found.is_file():
            return False
        return self.uncompressed_size is None or found.stat().st_size == self.uncompressed_size

    def __str__(self) -> str:
        size = f", {show_size(self.size)}" if self.size is not None else ""
        return f"{self.kind} artifact {self.path.name}{size}"


def _is_qcow2(path: Path) -> bool:
    """Return True for qcow2 content.

    An .img may be qcow2, so the first bytes decide which format QEMU is told.
    """
    try:
        with path.open("rb") as file:
            return file.read(len(MAGIC)) == MAGIC
    except OSError:
        return False


def _missing_hint(path: Path) -> str:
    """Name a neighbouring file that was probably meant: the same file, compressed or uncompressed."""
    for suffix in Compression:
        packed = path.with_name(path.name + suffix)
        if packed.is_file():
            return f"there is {packed}"
        if path.suffix == suffix and path.with_suffix("").is_file():
            return f"there is {path.with_suffix('')}"
    if not path.parent.is_dir():
        return f"the directory {path.parent} does not exist either"
    return "check the path"

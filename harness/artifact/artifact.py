"""One file a build left, or one the user named, made ready for a machine."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from harness.artifact.cache import ArtifactCache
from harness.artifact.formats import Format, check_format, format_of_kind
from harness.artifact.unpack import Compression, unpack
from harness.errors import ConfigError
from harness.util.sizes import show_size

_RAW_SUFFIXES = frozenset({".raw", ".img"})


def _silent(message: str) -> None:
    """The default of `notice`: nobody wants to know."""


@dataclass(frozen=True, kw_only=True)
class Artifact:
    """A disk image, ISO, kernel or container archive; sizes in bytes, sums as meta.json gives them.

    `format` is that of the uncompressed content. `origin` is what errors name: the meta.json that
    promised the file, or the file itself.
    """

    kind: str
    path: Path
    format: Format
    sha256: str | None = None
    size: int | None = None
    uncompressed_sha256: str | None = None
    uncompressed_size: int | None = None
    origin: Path | None = None

    @classmethod
    def from_file(cls, path: Path, *, kind: str = "qemu") -> Artifact:
        """A bare file given as `--qemu-image` (kind `qemu`) or `--qemu-iso` (`live-iso`); checked at once.

        A disk is qcow2, or raw when its name ends in .raw or .img; either may be compressed.
        Raises ConfigError.
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
        artifact = cls(kind=kind, path=path.resolve(), format=wanted, origin=path)
        check_format(path, Format.OTHER if compression else wanted)
        return artifact

    @property
    def compression(self) -> Compression | None:
        return Compression.of(self.path)

    def identity(self) -> str:
        """A cheap name of the content, usable as a cache key and a file name.

        The uncompressed sum where decompressing proves it; for files used in place path, size, time and
        inode, since nobody has checked what meta.json says of them.
        """
        if self.compression and self.uncompressed_sha256:
            return self.uncompressed_sha256
        self._check_present()
        seen = self.path.stat()
        facts = f"{self.path.resolve()}\0{seen.st_size}\0{seen.st_mtime_ns}\0{seen.st_ino}"
        return "file-" + hashlib.sha256(facts.encode()).hexdigest()[:40]

    def ready(self, cache: Path | None = None, *, notice: Callable[[str], None] = _silent) -> Path:
        """The path of the uncompressed file; never write to it.

        Decompressed once per host below `cache` (default: the user's cache), checked against
        `uncompressed-sha256`, and kept until this process ends. Raises ConfigError for a file that is
        missing, damaged or not what it should be.
        """
        self._check_present()
        compression = self.compression
        if compression is None:
            check_format(self.path, self.format)
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
    """An .img may well be a qcow2; its first bytes decide, so that QEMU is told the truth."""
    try:
        check_format(path, Format.QCOW2)
    except ConfigError:
        return False
    return True


def _missing_hint(path: Path) -> str:
    """Names a neighbour that is probably meant: the same file compressed or not."""
    for suffix in Compression:
        packed = path.with_name(path.name + suffix)
        if packed.is_file():
            return f"there is {packed}"
        if path.suffix == suffix and path.with_suffix("").is_file():
            return f"there is {path.with_suffix('')}"
    if not path.parent.is_dir():
        return f"the directory {path.parent} does not exist either"
    return "check the path"

"""Streaming decompression that hashes the output and writes zeros as holes."""

from __future__ import annotations

import errno
import gzip
import hashlib
import lzma
import os
import tempfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import IO

from harness.errors import ConfigError, InfrastructureError
from harness.util.process import require, spawn

_CHUNK = 1024 * 1024
_BLOCK = 64 * 1024
_ZEROS = bytes(_BLOCK)


class Compression(StrEnum):
    """The compressions that builds use. The value is the suffix of the file name."""

    GZIP = ".gz"
    XZ = ".xz"
    ZSTD = ".zst"

    @classmethod
    def of(cls, path: Path) -> Compression | None:
        """Return the compression that the file name's suffix names, as meta.json's own tools do, or None."""
        try:
            return cls(path.suffix)
        except ValueError:
            return None


def unpack(source: Path, target: Path, compression: Compression) -> str:
    """Decompress `source` to `target` and return the SHA-256 of the output.

    Uses about a megabyte of memory. Raises ConfigError for damaged input and InfrastructureError for a full
    disk; the caller then removes `target`.
    """
    digest = hashlib.sha256()
    try:
        with _opened(source, compression) as stream, target.open("wb") as out:
            while chunk := stream.read(_CHUNK):
                digest.update(chunk)
                _write_sparse(out, chunk)
            out.truncate()
            out.flush()
            os.fsync(out.fileno())
    except (gzip.BadGzipFile, zlib.error, lzma.LZMAError, EOFError) as error:
        raise _damaged(source, str(error)) from error
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise InfrastructureError(
                f"no room left on {target.parent} while decompressing {source}", cause="no-disk-space"
            ) from error
        raise ConfigError(f"cannot be decompressed: {error}", file=source) from error
    return digest.hexdigest()


def _write_sparse(out: IO[bytes], chunk: bytes) -> None:
    for start in range(0, len(chunk), _BLOCK):
        block = chunk[start : start + _BLOCK]
        if block == _ZEROS[: len(block)]:
            out.seek(len(block), os.SEEK_CUR)
        else:
            out.write(block)


def _damaged(source: Path, why: str) -> ConfigError:
    return ConfigError(
        f"cannot be decompressed: {why}", file=source, hint="the file is damaged or cut short; fetch it again"
    )


@contextmanager
def _opened(source: Path, compression: Compression) -> Iterator[IO[bytes] | gzip.GzipFile]:
    match compression:
        case Compression.GZIP:
            with gzip.open(source, "rb") as unzipped:
                yield unzipped
        case Compression.XZ:
            with lzma.open(source, "rb") as unxzed:
                yield unxzed
        case Compression.ZSTD:
            with _zstd(source) as stream:
                yield stream


@contextmanager
def _zstd(source: Path) -> Iterator[IO[bytes]]:
    require("zstd", package="zstd")
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb") as stream, tempfile.TemporaryFile() as complaints:
        try:
            child = spawn(
                ["zstd", "--decompress", "--stdout", "--quiet", str(source)],
                name="zstd",
                stdout=writing,
                stderr=complaints,
            )
        finally:
            os.close(writing)
        try:
            yield stream
            if child.wait(60) != 0:
                complaints.seek(0)
                said = complaints.read(500).decode(errors="replace").strip()
                raise _damaged(source, said or f"zstd {child.describe_exit()}")
        finally:
            child.stop()

"""Overlays and empty disks that exist only as open descriptors: nothing to leave behind."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from harness.errors import ConfigError, InfrastructureError
from harness.util.paths import cache_root
from harness.util.process import run_tool
from harness.util.sizes import parse_size


def scratch_directory() -> Path:
    """Where unlinked disk files take their space: `$KOLA_SCRATCH`, else the cache's file system."""
    chosen = os.environ.get("KOLA_SCRATCH")
    path = Path(chosen) if chosen else cache_root() / "scratch"
    path.mkdir(parents=True, exist_ok=True)
    return path


def _unlinked_file() -> int:
    """A read-write descriptor of a file without a name (O_TMPFILE where the file system has it)."""
    with tempfile.TemporaryFile(dir=scratch_directory(), buffering=0) as handle:
        return os.dup(handle.fileno())


def _new_file(named: Path | None) -> int:
    if named is None:
        return _unlinked_file()
    return os.open(named, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)


def through_descriptor(descriptor: int) -> str:
    """A path by which this process and children that inherit it open the same file anew."""
    return f"/proc/self/fd/{descriptor}"


def create_overlay(
    backing: Path, backing_format: str, size: str | None = None, *, named: Path | None = None
) -> int:
    """A qcow2 overlay of `backing` as an open file; the caller closes the descriptor.

    It has no name, unless it is to stay as `named`. `size` is absolute (`20G`) or an increase (`+5G`).
    """
    descriptor = _new_file(named)
    # fmt: off
    argv = [
        "qemu-img", "create",
        "-q",
        "-f", "qcow2",
        "-F", backing_format,
        "-b", str(backing.resolve()),
        through_descriptor(descriptor),
    ]
    # fmt: on
    try:
        run_tool(argv, pass_fds=[descriptor])
        if size is not None:
            _resize(descriptor, backing, size)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def _resize(descriptor: int, backing: Path, size: str) -> None:
    number = size.removeprefix("+")
    target = ("+" if size.startswith("+") else "") + str(parse_size(number))
    try:
        run_tool(
            ["qemu-img", "resize", "-q", "-f", "qcow2", through_descriptor(descriptor), target],
            pass_fds=[descriptor],
        )
    except InfrastructureError as error:
        if "shrink" not in error.evidence:
            raise
        raise ConfigError(
            f"cannot make the disk {size} large: it may only grow",
            file=backing,
            hint="use +SIZE to add to it",
        ) from error


def create_empty(size_gib: int, *, named: Path | None = None) -> int:
    """A sparse raw disk as an open file, nameless unless `named`; the caller closes the descriptor."""
    descriptor = _new_file(named)
    os.ftruncate(descriptor, size_gib << 30)
    return descriptor

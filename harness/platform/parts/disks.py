"""Overlays and empty disks that exist only as open descriptors, so that nothing is left behind."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path

from harness.errors import ConfigError, InfrastructureError
from harness.util.paths import cache_root
from harness.util.process import run_tool
from harness.util.sizes import parse_size


def scratch_directory() -> Path:
    """Return the directory whose file system holds unlinked disk files: `$KOLA_SCRATCH`, else in the
    cache.
    """
    chosen = os.environ.get("KOLA_SCRATCH")
    path = Path(chosen) if chosen else cache_root() / "scratch"
    path.mkdir(parents=True, exist_ok=True)
    return path


def _unlinked_file() -> int:
    """Return a read-write descriptor of a file without a name (O_TMPFILE where the file system has it)."""
    with tempfile.TemporaryFile(dir=scratch_directory(), buffering=0) as handle:
        return os.dup(handle.fileno())


def new_file(named: Path | None) -> int:
    """Return an open, empty file, nameless unless `named`; the caller closes the descriptor."""
    if named is None:
        return _unlinked_file()
    return os.open(named, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)


def through_descriptor(descriptor: int) -> str:
    """Return a path by which this process and children that inherit the descriptor open the same file
    anew.
    """
    return f"/proc/self/fd/{descriptor}"


def create_overlay(
    backing: Path, backing_format: str, size: str | None = None, *, named: Path | None = None
) -> int:
    """Return an open qcow2 overlay of `backing`; the caller closes the descriptor.

    It has no name, unless it is to stay as `named`. `size` is absolute (`20G`) or an increase (`+5G`).
    """
    descriptor = new_file(named)
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


def overwrite(overlay: int, changes: Iterable[tuple[int, bytes]]) -> int:
    """Write data at offsets into an open qcow2 overlay; the backing image does not change.

    Returns the number of bytes written. Raises InfrastructureError.
    """
    written = 0
    with ExitStack() as owned:
        commands: list[str] = []
        sources: list[int] = []
        for offset, data in changes:
            source = os.memfd_create("kola-overwrite")
            owned.callback(os.close, source)
            os.write(source, data)
            sources.append(source)
            commands += ["-c", f"write -q -s {through_descriptor(source)} {offset} {len(data)}"]
            written += len(data)
        if commands:
            run_tool(
                ["qemu-io", "-f", "qcow2", *commands, through_descriptor(overlay)],
                pass_fds=[overlay, *sources],
            )
    return written


def create_empty(size_gib: int, *, named: Path | None = None) -> int:
    """Return a sparse raw disk as an open file, nameless unless `named`; the caller closes the descriptor."""
    descriptor = new_file(named)
    os.ftruncate(descriptor, size_gib << 30)
    return descriptor

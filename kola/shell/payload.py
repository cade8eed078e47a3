"""The files that a test needs in the guest, as one tar stream to be unpacked at `/`."""

from __future__ import annotations

import io
import os
import tarfile
from pathlib import Path

from harness.errors import ConfigError
from kola.shell.job import ERREXIT, KOLET, Job, guest_file

_PROGRAMS = {KOLET: "kolet", f"{KOLET}-http": "kolet-http"}


def payload(job: Job) -> bytes:
    """Return the executable, its unit, its data with links followed, and our helpers; all owned by root.

    No member names a directory that exists already, so that links such as /usr/local stay unchanged. Raises
    ConfigError for a file that cannot be read.
    """
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.GNU_FORMAT) as tar:
        for target, name in _PROGRAMS.items():
            _add(tar, target, guest_file(name), 0o755)
        _add(tar, ERREXIT, guest_file("kolet-errexit"), 0o644)
        _add(tar, job.executable, _read(job.test.executable), 0o755)
        _add(tar, f"/etc/systemd/system/{job.unit}", job.unit_file().encode(), 0o644)
        _add_directory(tar, job.data)
        if job.test.data is not None:
            _add_tree(tar, job.test.data, job.data, above=())
    return buffer.getvalue()


def _add_tree(tar: tarfile.TarFile, source: Path, target: str, *, above: tuple[str, ...]) -> None:
    real = os.path.realpath(source)
    if real in above:
        raise ConfigError("a symbolic link back to a directory above it", file=source)
    try:
        entries = sorted(source.iterdir())
    except OSError as error:
        raise ConfigError(f"cannot be read: {error.strerror}", file=source) from error
    for entry in entries:
        inside = f"{target}/{entry.name}"
        if entry.is_dir():
            _add_directory(tar, inside)
            _add_tree(tar, entry, inside, above=(*above, real))
        else:
            content = _read(entry)
            _add(tar, inside, content, entry.stat().st_mode & 0o777)


def _read(path: Path) -> bytes:
    if path.is_symlink() and not path.exists():
        raise ConfigError(f"a symbolic link to nowhere ({path.readlink()})", file=path)
    if not path.is_file():
        raise ConfigError("neither a file nor a directory", file=path)
    try:
        return path.read_bytes()
    except OSError as error:
        raise ConfigError(f"cannot be read: {error.strerror}", file=path) from error


def _add(tar: tarfile.TarFile, target: str, content: bytes, mode: int) -> None:
    entry = tarfile.TarInfo(target.lstrip("/"))
    entry.size, entry.mode = len(content), mode
    tar.addfile(entry, io.BytesIO(content))


def _add_directory(tar: tarfile.TarFile, target: str) -> None:
    entry = tarfile.TarInfo(target.lstrip("/"))
    entry.type, entry.mode = tarfile.DIRTYPE, 0o755
    tar.addfile(entry)

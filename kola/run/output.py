"""The output directory of a run: its location, its layout, and the removal of an old one."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from harness.artifact import BuildRoot
from harness.errors import ConfigError, InfrastructureError
from kola.report.layout import (
    EVENTS_FILE,
    MARKER,
    PROPERTIES_FILE,
    REPORTS,
    TAP_FILE,
)

_FALLBACK = "_kola_temp"


@dataclass(frozen=True)
class OutputDir:
    """A prepared output directory."""

    path: Path

    @property
    def reports(self) -> Path:
        return self.path / REPORTS

    @property
    def tap(self) -> Path:
        return self.path / TAP_FILE

    @property
    def properties(self) -> Path:
        return self.path / PROPERTIES_FILE

    @property
    def events(self) -> Path:
        return self.path / EVENTS_FILE


def prepare(
    *,
    platform: str,
    explicit: Path | None = None,
    workdir: Path | None = None,
    now: datetime | None = None,
) -> OutputDir:
    """Make the output directory of a run, empty except for `reports/` and our marker.

    `explicit` is `--output-dir`: it is created, or used when empty, or erased first when earlier runs of kola
    made all that is in it; otherwise ConfigError is raised. Without it `default_base(workdir)` gets a new
    `<platform>-<stamp>-<pid>`, and `<platform>-latest` beside it links there.
    """
    try:
        if explicit is not None:
            return _take(explicit.absolute())
        base = default_base(workdir)
        stamp = (now or datetime.now()).strftime("%Y-%m-%d-%H%M")
        output = _take(unused(base / f"{platform}-{stamp}-{os.getpid()}"))
        _point(base / f"{platform}-latest", output.path.name)
    except OSError as error:
        where = error.filename or explicit or workdir
        raise ConfigError(
            f"the output directory cannot be made: {error.strerror}",
            file=where,
            hint="name a directory you may write to with --output-dir",
        ) from error
    return output


def default_base(workdir: Path | None) -> Path:
    """Return the parent of default output directories: `<workdir>/tmp/kola` of a build root, else
    `_kola_temp`.
    """
    if workdir is not None and BuildRoot.is_root(workdir):
        return workdir.absolute() / "tmp" / "kola"
    return Path.cwd() / _FALLBACK


def is_former_output(path: Path) -> bool:
    """Return True when a kola, ours or the original, made this directory for its output."""
    if (path / MARKER).is_file():
        return True
    return (path / PROPERTIES_FILE).is_file() and (path / REPORTS).is_dir()


def holds_former_outputs(path: Path) -> bool:
    """Return True when there is nothing but outputs of kola in `path` and links to the latest of them.

    A run without --output-dir makes such a directory, under the name that nosa gives to an output.
    """
    entries = list(path.iterdir())
    outputs = [entry for entry in entries if not entry.is_symlink()]
    links = [entry for entry in entries if entry.is_symlink()]
    return (
        bool(outputs)
        and all(is_former_output(entry) for entry in outputs)
        and all(link.resolve().parent == path.resolve() for link in links)
    )


def unused(path: Path) -> Path:
    """Make the directory `path`, or `path-2` … if it exists already, and return it.

    In containers that share a checkout two runs of one minute can have the same process id.
    """
    count = 1
    candidate = path
    while True:
        candidate.parent.mkdir(parents=True, exist_ok=True)
        try:
            candidate.mkdir()
        except FileExistsError:
            count += 1
            candidate = path.with_name(f"{path.name}-{count}")
        else:
            return candidate


def _take(path: Path) -> OutputDir:
    if path.exists() and not path.is_dir():
        raise ConfigError("is a file", file=path, hint="name a directory with --output-dir")
    if path.is_dir() and any(path.iterdir()):
        ours = is_former_output(path) or holds_former_outputs(path)
        if not ours or BuildRoot.is_root(path) or (path / ".git").exists():
            raise ConfigError(
                "holds something that is no output of kola; nothing was removed",
                file=path,
                hint="name a new or an empty directory with --output-dir",
            )
        _empty(path)
    path.mkdir(parents=True, exist_ok=True)
    (path / MARKER).touch()
    (path / REPORTS).mkdir()
    return OutputDir(path)


def _empty(path: Path) -> None:
    """Remove the content, the marker last, so that the next run can continue after an interruption.

    The directory itself stays, since it may be a mount point or a symlink.
    """
    entries = sorted(path.iterdir(), key=lambda entry: entry.name == MARKER)
    (path / MARKER).touch()
    for entry in entries:
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        elif entry.name != MARKER:
            entry.unlink()


def _point(link: Path, target: str) -> None:
    """Make `link` point at `target` atomically. A real file or directory of that name is not touched."""
    if link.exists() and not link.is_symlink():
        raise ConfigError("exists and is not a symlink", file=link, hint="move it away")
    fresh = link.with_name(f".{link.name}.{os.getpid()}")
    fresh.unlink(missing_ok=True)
    fresh.symlink_to(target)
    try:
        fresh.replace(link)
    except OSError as error:
        fresh.unlink(missing_ok=True)
        raise InfrastructureError(
            f"cannot set {link}: {error.strerror}", cause="output-unwritable"
        ) from error

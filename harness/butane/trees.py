"""`storage.trees`: whole directories of local files embedded in a config."""

from __future__ import annotations

import posixpath
import stat
from collections.abc import Iterator
from pathlib import Path as FilePath

from harness.butane.local import LocalFiles
from harness.butane.report import Report
from harness.errors import ConfigError
from harness.ignition import dataurl
from harness.ignition.findings import Path
from harness.ignition.schema import Object
from harness.util.userfile import read_user_bytes


def add_trees(config: Object, trees: list[Object], files: LocalFiles, report: Report) -> dict[str, Path]:
    """Add every file and link of the trees to the config; return the source tree of each new path."""
    storage = config.setdefault("storage", {})
    origins: dict[str, Path] = {}
    for index, tree in enumerate(trees):
        here: Path = ("storage", "trees", index)
        if not tree.get("local"):
            continue
        try:
            for local, relative in _walk(_directory(files, tree["local"])):
                target = posixpath.normpath(posixpath.join(tree.get("path") or "/", relative))
                _add(storage, local, target)
                origins.setdefault(target, here)
        except (ValueError, ConfigError) as wrong:
            report.error(here, str(wrong))
        except OSError as wrong:
            report.error(here, f"cannot read {wrong.filename}: {wrong.strerror}")
    return origins


def _directory(files: LocalFiles, name: str) -> FilePath:
    base = files.resolve(name)
    if not base.is_dir():
        raise ValueError(f"{name!r} {'is not a directory' if base.exists() else 'does not exist'}")
    return base


def _walk(base: FilePath, prefix: str = "") -> Iterator[tuple[FilePath, str]]:
    for entry in sorted(base.iterdir(), key=lambda path: path.name):
        relative = f"{prefix}{entry.name}"
        if entry.is_dir() and not entry.is_symlink():
            yield from _walk(entry, f"{relative}/")
        else:
            yield entry, relative


def _add(storage: Object, local: FilePath, target: str) -> None:
    status = local.lstat()
    if stat.S_ISLNK(status.st_mode):
        link = _claim(storage, "links", target)
        if link.get("target"):
            raise ValueError(f"{target} has a target already")
        link["target"] = str(local.readlink())
    elif stat.S_ISREG(status.st_mode):
        file = _claim(storage, "files", target)
        contents = file.setdefault("contents", {})
        if contents.get("source"):
            raise ValueError(f"{target} has contents already")
        packed = bool(contents.get("compression"))
        contents["source"], compression = dataurl.encode(read_user_bytes(local), compress=not packed)
        if not packed:
            contents["compression"] = compression
        file.setdefault("mode", 0o755 if status.st_mode & 0o111 else 0o644)
    else:
        raise ValueError(f"{local.name} is neither a file, a directory nor a link")


def _claim(storage: Object, kind: str, target: str) -> Object:
    """Return the config's own entry for this path, which may set mode or owner, or a new one."""
    for other in ("files", "directories", "links"):
        for entry in storage.get(other, []):
            if entry.get("path") == target:
                if other != kind:
                    raise ValueError(f"{target} is in the config as something else")
                found: Object = entry
                return found
    entry = {"path": target}
    storage.setdefault(kind, []).append(entry)
    return entry

"""The sources of the newest build: `src/config` and `overrides` of the build directory.

Formats: rpm-ostree's treefile (https://coreos.github.io/rpm-ostree/treefile/), the directories of
coreos-assembler.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.errors import ConfigError
from harness.util.userfile import read_user_text
from harness.util.yamltext import load_yaml

_OVERLAY = "overlay/"
_MODES = "statoverride"
"""A file at the top of a layer that sets the modes of its files. It is not part of the image."""


@dataclass(frozen=True)
class Treefile:
    """The tree that a manifest and its includes describe; `conditional-include` is not followed.

    `remove_files` are paths in the image, relative to its root.
    """

    remove_files: tuple[str, ...] = ()
    exclude_packages: tuple[str, ...] = ()
    layers: tuple[str, ...] = ()

    @classmethod
    def read(cls, file: Path, arch: str) -> Treefile:
        """Read a treefile. Raises ConfigError for a file that is missing or not a treefile."""
        document = load_yaml(read_user_text(file), file=file)
        if not isinstance(document, Mapping):
            raise ConfigError("is no treefile", file=file)
        included = [*_words(document, "include"), *_words(document.get("arch-include") or {}, arch)]
        parts = [cls.read(file.parent / name, arch) for name in included]
        parts.append(
            cls(
                remove_files=tuple(_in_image(path.strip("/")) for path in _words(document, "remove-files")),
                exclude_packages=_words(document, "exclude-packages"),
                layers=_words(document, "ostree-layers"),
            )
        )
        return cls(
            remove_files=tuple(path for part in parts for path in part.remove_files),
            exclude_packages=tuple(name for part in parts for name in part.exclude_packages),
            layers=tuple(layer for part in parts for layer in part.layers),
        )

    def removes(self, path: str) -> bool:
        """Return True when `path` is among the removed files or below one."""
        return any(path == gone or path.startswith(f"{gone}/") for gone in self.remove_files)


@dataclass(frozen=True)
class Content:
    """The expected files of the image by path relative to its root: checksums of files, targets of links."""

    sums: Mapping[str, str]
    links: Mapping[str, str]

    def without(self, other: Content) -> Content:
        """The content that remains when `other` is laid over it."""
        covered = other.sums.keys() | other.links.keys()
        return Content(
            {path: value for path, value in self.sums.items() if path not in covered},
            {path: value for path, value in self.links.items() if path not in covered},
        )

    @property
    def sum_list(self) -> str:
        """The sums as `sha256sum --check` reads them, run in the root."""
        return "".join(f"{value}  {path}\n" for path, value in sorted(self.sums.items()))


def overlay(config: Path, treefile: Treefile) -> list[Path]:
    """The directories of the manifest's layers, from the lowest upwards; those made by nosa have none."""
    names = [layer.removeprefix(_OVERLAY) for layer in treefile.layers if layer.startswith(_OVERLAY)]
    return [path for name in names if (path := config / "overlay.d" / name).is_dir()]


def content(layers: Iterable[Path], treefile: Treefile) -> Content:
    """The content these directories give the image: later layers win, removed files are left out."""
    files = {_in_image(str(path.relative_to(layer))): path for layer in layers for path in _files(layer)}
    kept = {name: path for name, path in files.items() if not treefile.removes(name)}
    return Content(
        sums={
            name: hashlib.sha256(path.read_bytes()).hexdigest()
            for name, path in kept.items()
            if not path.is_symlink()
        },
        links={name: str(path.readlink()) for name, path in kept.items() if path.is_symlink()},
    )


def _files(layer: Path) -> Iterable[Path]:
    for path in sorted(layer.rglob("*")):
        if (path.is_symlink() or path.is_file()) and path != layer / _MODES:
            yield path


def _in_image(path: str) -> str:
    """A deployment's own /etc starts as the image's /usr/etc, and is its owner's from then on."""
    return f"usr/{path}" if path.startswith("etc/") else path


def _words(document: Mapping[str, Any], key: str) -> tuple[str, ...]:
    value = document.get(key) or ()
    return (value,) if isinstance(value, str) else tuple(str(word) for word in value)

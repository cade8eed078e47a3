"""The recipe: `recipe.toml`, the files it lays over the packages, and the hash of both and of this code."""

from __future__ import annotations

import hashlib
import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from harness.reference.arch import Arch

HERE = Path(__file__).parent
# Only these decide what a build contains; documentation and the command line do not.
_HASHED = (
    "*.py",
    "*.toml",
    "overlay/**/*",
    "overlay-b/**/*",
    "initramfs/**/*",
    "grub/**/*",
    "rpmostree/**/*",
)


@dataclass(frozen=True)
class Version:
    """One build: its id, its timestamp (RFC 3339), and what it adds to the version before it."""

    id: str
    timestamp: str
    packages: tuple[str, ...]
    overlay: Path


@dataclass(frozen=True)
class TreeRules:
    """What happens to the unpacked packages: patterns are relative to the root of the tree."""

    exclude: tuple[str, ...]
    remove_first: tuple[str, ...]
    remove: tuple[str, ...]
    mask: tuple[str, ...]
    groups: tuple[str, ...]
    links: dict[str, str]


@dataclass(frozen=True)
class Recipe:
    """Everything a build is made from, for one architecture."""

    arch: Arch
    name: str
    stream: str
    stateroot: str
    suite: str
    ref: str
    disk_size_mib: int
    root_size_mib: int
    versions: tuple[Version, ...]
    kernel_arguments: tuple[str, ...]
    packages: tuple[str, ...]
    tree: TreeRules


def load_recipe(arch: Arch, directory: Path = HERE) -> Recipe:
    """Read `recipe.toml` and fill in what depends on the architecture."""
    data: dict[str, Any] = tomllib.loads((directory / "recipe.toml").read_text())
    names = {"arch": arch.name, "kernel": arch.kernel_package, "console": arch.console}
    rules = data["tree"]
    return Recipe(
        arch=arch,
        name=data["name"],
        stream=data["stream"],
        stateroot=data["stateroot"],
        suite=data["suite"],
        ref=data["ref"].format(**names),
        disk_size_mib=data["disk_size_mib"],
        root_size_mib=data["root_size_mib"],
        versions=tuple(
            Version(
                id=version["id"],
                timestamp=version["timestamp"],
                packages=tuple(version["packages"]),
                overlay=directory / version["overlay"],
            )
            for version in data["versions"]
        ),
        kernel_arguments=tuple(text.format(**names) for text in data["kernel"]["arguments"]),
        packages=tuple(package.format(**names) for group in data["packages"].values() for package in group),
        tree=TreeRules(
            exclude=tuple(rules["exclude"]),
            remove_first=tuple(rules["remove_first"]),
            remove=tuple(rules["remove"]),
            mask=tuple(rules["mask"]),
            groups=tuple(rules["groups"]),
            links=dict(rules["links"]),
        ),
    )


def read_list(path: Path) -> list[str]:
    """The words of a `.list` or the like, without its comments."""
    lines = (line.split("#")[0] for line in path.read_text().splitlines())
    return [word for line in lines for word in line.split()]


@cache
def recipe_hash(arch: Arch, directory: Path = HERE) -> str:
    """16 hex digits over every file that decides what a build contains: path, mode and bytes."""
    digest = hashlib.sha256(arch.name.encode())
    files = {
        path
        for pattern in _HASHED
        for path in directory.glob(pattern)
        if (path.is_file() or path.is_symlink()) and "__pycache__" not in path.parts
    }
    for path in sorted(files):
        executable = "x" if path.stat().st_mode & 0o100 else "-"
        digest.update(f"\0{path.relative_to(directory)}\0{executable}\0".encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]

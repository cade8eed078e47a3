"""The recipe: `recipe.toml`, the files it adds to the packages, and the hash of both and of this code."""

from __future__ import annotations

import hashlib
import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from harness.reference.build.arch import Arch
from harness.reference.build.sources_digest import add_files

HERE = Path(__file__).parents[1]
GUEST = HERE / "guest"
# Only these files determine a build; documentation and the command line do not.
_HASHED = (
    "__init__.py",
    "build/*.py",
    "build/*.toml",
    "guest/**/*",
)


@dataclass(frozen=True)
class Version:
    """A build: its id, its timestamp (RFC 3339), and its additions to the previous version."""

    id: str
    timestamp: str
    packages: tuple[str, ...]
    overlay: Path


@dataclass(frozen=True)
class TreeRules:
    """Changes to the unpacked packages. Patterns are relative to the root of the tree."""

    exclude: tuple[str, ...]
    remove_first: tuple[str, ...]
    remove: tuple[str, ...]
    mask: tuple[str, ...]
    groups: tuple[str, ...]
    links: dict[str, str]


@dataclass(frozen=True)
class Recipe:
    """All parameters of a build for one architecture."""

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

    def arguments_for(self, platform: str) -> tuple[str, ...]:
        """Return the kernel arguments of an image for `platform`; `metal` has no console, as in NestOS."""
        named = (f"ignition.platform.id={platform}", *self.consoles(platform))
        return (*self.kernel_arguments, *named)

    def consoles(self, platform: str) -> tuple[str, ...]:
        """Return the kernel arguments that `platforms.json` lists for `platform`."""
        return () if platform == "metal" else (f"console={self.arch.console}",)


def load_recipe(arch: Arch, directory: Path = HERE) -> Recipe:
    """Read `recipe.toml` and complete it for the architecture."""
    data: dict[str, Any] = tomllib.loads((directory / "build/recipe.toml").read_text(encoding="utf-8"))
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
                overlay=directory / "guest" / version["overlay"],
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
    """Return the words of a `.list` file, without its comments."""
    lines = (line.split("#")[0] for line in path.read_text(encoding="utf-8").splitlines())
    return [word for line in lines for word in line.split()]


@cache
def recipe_hash(arch: Arch, directory: Path = HERE) -> str:
    """Return 16 hex digits over every file that determines a build: path, mode and bytes."""
    digest = hashlib.sha256(arch.name.encode())
    files = {
        path
        for pattern in _HASHED
        for path in directory.glob(pattern)
        if (path.is_file() or path.is_symlink()) and "__pycache__" not in path.parts
    }
    add_files(digest, files, top=directory)
    return digest.hexdigest()[:16]

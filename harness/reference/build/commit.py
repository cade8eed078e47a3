"""Commit trees to an ostree repository and deploy them into a sysroot directory."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.reference.build.command import run
from harness.reference.build.packages import Package
from harness.reference.build.recipe import Recipe, Version


@dataclass(frozen=True)
class Commit:
    """An ostree commit and the checksum of its content."""

    checksum: str
    content_checksum: str


def make_repository(path: Path, *, mode: str) -> Path:
    """Make an empty repository without fsync: only finished builds need durability."""
    run(["ostree", "init", f"--repo={path}", f"--mode={mode}"])
    run(["ostree", "config", f"--repo={path}", "set", "core.fsync", "false"])
    if mode == "archive":
        run(["ostree", "config", f"--repo={path}", "set", "archive.zlib-level", "1"])
    return path


def commit(
    repository: Path,
    recipe: Recipe,
    version: Version,
    packages: Sequence[Package],
    trees: list[str],
    parent: Commit | None,
) -> Commit:
    """Commit the union of `trees` (`dir=PATH` or `ref=REF`, later ones win) as `version`."""
    checksum = run(
        [
            "ostree",
            "commit",
            f"--repo={repository}",
            f"--branch={recipe.ref}",
            f"--parent={parent.checksum if parent else 'none'}",
            f"--subject={recipe.name} {version.id}",
            f"--timestamp={version.timestamp}",
            f"--add-metadata-string=version={version.id}",
            f"--add-metadata-string=nestos.stream={recipe.stream}",
            # The text of a GVariant a(sssss) equals Python's list of tuples of plain strings.
            f"--add-metadata=rpmostree.rpmdb.pkglist={[package.row for package in packages]!r}",
            "--bootable",
            "--no-xattrs",
            *(f"--tree={tree}" for tree in trees),
        ]
    ).strip()
    shown = run(["ostree", "show", f"--repo={repository}", checksum])
    content = next(line.split()[-1] for line in shown.splitlines() if line.startswith("ContentChecksum"))
    return Commit(checksum, content)


def deploy(recipe: Recipe, repository: Path, made: Commit, sysroot: Path, *, platform: str = "qemu") -> Path:
    """Make `sysroot` a physical root with one deployment of `made`; return the deployment's directory."""
    sysroot.mkdir()
    run(["ostree", "admin", "init-fs", sysroot])
    run(["ostree", "admin", f"--sysroot={sysroot}", "os-init", recipe.stateroot])
    repo = sysroot / "ostree/repo"
    for key, value in {
        "sysroot.bootloader": "none",
        "sysroot.readonly": "true",
        "core.fsync": "false",
    }.items():
        run(["ostree", "config", f"--repo={repo}", "set", key, value])
    run(["ostree", "pull-local", f"--repo={repo}", "--remote=openEuler", repository, made.checksum])
    run(["ostree", "refs", f"--repo={repo}", f"--create=openEuler:{recipe.ref}", made.checksum])
    run(
        [
            "ostree",
            "admin",
            f"--sysroot={sysroot}",
            "deploy",
            f"--os={recipe.stateroot}",
            *(f"--karg-append={argument}" for argument in recipe.arguments_for(platform)),
            f"openEuler:{recipe.ref}",
        ]
    )
    run(["ostree", "config", f"--repo={repo}", "set", "core.fsync", "true"])
    return sysroot / "ostree/deploy" / recipe.stateroot / "deploy" / f"{made.checksum}.0"


def discard(path: Path) -> None:
    """Remove a directory that may hold deployments, which are immutable until changed."""
    # A recursive pattern would visit every file of every deployment.
    for depth in range(4):
        for deployment in path.glob("*/" * depth + "ostree/deploy/*/deploy/*"):
            if deployment.is_dir():
                subprocess.run(["chattr", "-i", deployment], check=False, capture_output=True)
    shutil.rmtree(path)

"""Programs and drivers that the initramfs copies from the deployment when a config needs them: RAID, LUKS,
XFS, Btrfs.

A group of `initramfs/extra/` becomes a list in the tree: its programs with everything they load, and its
drivers with theirs. `initramfs/scripts/extra` copies the listed files.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from harness.errors import InfrastructureError
from harness.reference.build.command import run
from harness.reference.build.recipe import GUEST, read_list

_LISTS = Path("usr/lib/nestos/initramfs-extra")
_SCRATCH = Path("tmp/initramfs-extra")


def write_lists(tree: Path, version: str, source: Path = GUEST / "initramfs/extra") -> None:
    """Write a list of paths for each group; dracut and the kernel `version` must be in the tree."""
    (tree / _LISTS).mkdir(parents=True)
    for programs in sorted(source.glob("*.files")):
        files = read_list(programs)
        drivers = read_list(programs.with_suffix(".drivers"))
        paths = _collect(tree, version, files, drivers)
        (tree / _LISTS / programs.stem).write_text("".join(f"{path}\n" for path in paths), encoding="utf-8")


def check_lists(tree: Path) -> None:
    """Raise InfrastructureError when the finished tree lacks a listed file."""
    for group in sorted((tree / _LISTS).iterdir()):
        gone = [path for path in group.read_text(encoding="utf-8").splitlines() if not _has(tree, path)]
        if gone:
            raise InfrastructureError(
                f"the reference OS lacks what its initramfs takes for {group.name}: {' '.join(gone)}",
                cause="reference-build-failed",
            )


def _has(tree: Path, path: str) -> bool:
    where = tree / "usr" / path if path.startswith("etc/") else tree / path
    return where.is_symlink() or where.exists()


def _collect(tree: Path, version: str, files: list[str], drivers: list[str]) -> list[str]:
    scratch = tree / _SCRATCH
    scratch.mkdir()
    modules = Path("usr/lib/modules") / version
    collect: list[str | Path] = ["chroot", tree, "/usr/lib/dracut/dracut-install", "-D", f"/{_SCRATCH}"]
    run([*collect, "-l", "-a", *(name for entry in files for name in _expanded(tree, entry))])
    run([*collect, "--kerneldir", f"/{modules}", "-m", *drivers])
    found = [path.relative_to(scratch) for path in scratch.rglob("*") if path.is_symlink() or path.is_file()]
    shutil.rmtree(scratch)
    indexes = [path.relative_to(tree) for path in (tree / modules).glob("modules.*")]
    # Top-level links, like /lib, are in every initramfs.
    return sorted(str(path) for path in [*found, *indexes] if len(path.parts) > 1)


def _expanded(tree: Path, entry: str) -> list[str]:
    """Expand patterns: a library's directory depends on the architecture."""
    if "*" not in entry:
        return [entry]
    return [f"/{path.relative_to(tree)}" for path in tree.glob(entry.lstrip("/"))]

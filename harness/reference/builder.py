"""The whole build, step by step, into a directory that nobody else looks at yet."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from harness.reference import bootstrap, disk, grub, metadata, tree
from harness.reference.command import run
from harness.reference.commit import Commit, commit, deploy, discard, make_repository
from harness.reference.initramfs import build_initramfs
from harness.reference.recipe import Recipe, Version, recipe_hash

Progress = Callable[[str], None]


@dataclass(frozen=True)
class Steps:
    """Tells `progress` about each step when it ends, with its seconds and those since the start."""

    progress: Progress
    begun: float

    @contextmanager
    def step(self, what: str) -> Iterator[None]:
        """Report `what` as under way, then as done."""
        started = time.monotonic()
        self.progress(f"{what} …")
        yield
        now = time.monotonic()
        self.progress(f"{what}: {now - started:.0f} s (total {now - self.begun:.0f} s)")


def build(recipe: Recipe, target: Path, *, progress: Progress) -> None:
    """Fill the empty directory `target` with `builds/` and `repo/`; scratch files are gone at the end."""
    steps = Steps(progress, time.monotonic())
    work = target / "work"
    work.mkdir()
    root = work / "tree"
    extra = work / "extra"
    with steps.step("unpacking Debian packages"):
        bootstrap.bootstrap(recipe, root)
    with steps.step("shaping the tree"):
        tree.prepare(recipe, root, extra)
    with steps.step("building the initramfs"):
        build_initramfs(root)
        tree.finish(root, recipe.tree)
    build_from_tree(recipe, target, root, extra, steps)
    with steps.step("cleaning up"):
        discard(work)


def build_from_tree(recipe: Recipe, target: Path, root: Path, extra: Path, steps: Steps) -> None:
    """Commit, deploy and write every version from a finished tree."""
    work = root.parent
    bare = make_repository(work / "bare", mode="bare")
    archive = make_repository(target / "repo", mode="archive")
    rows = tree.packages(root)
    modules = grub.library(recipe.arch, extra, work)
    parent: Commit | None = None
    for index, version in enumerate(recipe.versions):
        with steps.step(f"committing {version.id}"):
            source = f"dir={root}"
            if parent is not None:
                added = _addition(recipe, version, work / f"addition-{index}", extra)
                rows = sorted([*rows, *added])
                trees = [f"ref={recipe.ref}", f"dir={work / f'addition-{index}'}"]
            else:
                trees = [source]
            parent = commit(bare, recipe, version, trees, parent)
        with steps.step(f"writing the disk of {version.id}"):
            _write_build(recipe, version, parent, rows, work / f"disk-{index}", bare, modules, target)
    with steps.step("filling the archive repository"):
        run(["ostree", "pull-local", f"--repo={archive}", "--depth=-1", bare, recipe.ref])
        run(["ostree", "summary", f"--repo={archive}", "--update"])
    metadata.write_json(target / "builds/builds.json", metadata.builds(recipe))
    (target / "builds/latest").symlink_to(recipe.versions[-1].id)


def _addition(recipe: Recipe, version: Version, where: Path, extra: Path) -> list[list[str]]:
    """Lay out only what `version` adds to its predecessor; return its new packages."""
    where.mkdir()
    rows = []
    for package in version.packages:
        (deb,) = extra.glob(f"{package}_*.deb")
        run(["dpkg-deb", "--extract", deb, where])
        shutil.rmtree(where / "usr/share/doc", ignore_errors=True)
        shutil.rmtree(where / "usr/share/man", ignore_errors=True)
        rows.append(
            run(["dpkg-deb", "--show", "--showformat=${Package} ${Version} ${Architecture}", deb]).split()
        )
    tree.lay_over(version.overlay, where)
    tree.write_os_release(where, recipe, version)
    return rows


def _write_build(
    recipe: Recipe,
    version: Version,
    made: Commit,
    rows: list[list[str]],
    work: Path,
    bare: Path,
    modules: Path,
    target: Path,
) -> None:
    work.mkdir()
    sysroot = work / "sysroot"
    deploy(recipe, bare, made, sysroot)
    disk.fill_sysroot(recipe, version, made, sysroot, modules)
    raw = work / "disk.raw"
    disk.write_disk(recipe, sysroot, modules, work, raw)
    directory = target / "builds" / version.id / recipe.arch.name
    directory.mkdir(parents=True)
    image = directory / metadata.artifact_name(recipe, version, "qemu", "qcow2")
    disk.to_qcow2(raw, image)
    image.chmod(0o444)
    images = {"qemu": metadata.describe(image)}
    content = metadata.meta(recipe, version, made, images, recipe_hash=recipe_hash(recipe.arch))
    metadata.write_json(directory / "meta.json", content)
    metadata.write_json(directory / "commitmeta.json", metadata.commit_meta(recipe, version, rows))
    discard(work)

"""The whole build, step by step, into a directory that no other process reads yet."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from harness.reference.build import bootstrap, disk, grub, initramfs_extra, metadata, rpmdb, tree
from harness.reference.build.command import run
from harness.reference.build.commit import Commit, commit, deploy, discard, make_repository
from harness.reference.build.initramfs import build_initramfs
from harness.reference.build.ociarchive import Layer, write_archive, write_layer
from harness.reference.build.packages import Package
from harness.reference.build.recipe import Recipe, Version, recipe_hash
from harness.reference.build.sources import write_sources

Progress = Callable[[str], None]


@dataclass(frozen=True)
class Steps:
    """A reporter that tells `progress` of each finished step, with its seconds and those since the start."""

    progress: Progress
    begun: float

    @contextmanager
    def step(self, what: str) -> Iterator[None]:
        """Report the step `what` as started, then as done."""
        started = time.monotonic()
        self.progress(f"{what} …")
        yield
        now = time.monotonic()
        self.progress(f"{what}: {now - started:.0f} s (total {now - self.begun:.0f} s)")


def build(recipe: Recipe, target: Path, *, progress: Progress) -> None:
    """Fill the empty directory `target` with `builds/` and `repo/`. Scratch files are removed at the end."""
    steps = Steps(progress, time.monotonic())
    work = target / "work"
    work.mkdir()
    root = work / "tree"
    debs = work / "debs"
    with steps.step("unpacking Debian packages"):
        bootstrap.bootstrap(recipe, root)
    with steps.step("shaping the tree"):
        tree.prepare(recipe, root, debs)
    with steps.step("building the initramfs"):
        build_initramfs(root)
        initramfs_extra.write_lists(root, tree.kernel_version(root))
        packages = [entry.package for entry in tree.finish(recipe, root)]
        initramfs_extra.check_lists(root)
    build_from_tree(recipe, target, root, debs, packages, steps)
    with steps.step("cleaning up"):
        discard(work)


def build_from_tree(
    recipe: Recipe, target: Path, root: Path, debs: Path, packages: list[Package], steps: Steps
) -> None:
    """Commit, deploy and write every version from a finished tree with `packages`."""
    work = root.parent
    bare = make_repository(work / "bare", mode="bare")
    archive = make_repository(target / "repo", mode="archive")
    modules = grub.library(recipe.arch, debs, work)
    parent: Commit | None = None
    layers: list[Layer] = []
    for index, version in enumerate(recipe.versions):
        with steps.step(f"committing {version.id}"):
            source = f"dir={root}"
            if parent is not None:
                added = _addition(recipe, version, root, work / f"addition-{index}", debs)
                packages = sorted([*packages, *added])
                trees = [f"ref={recipe.ref}", f"dir={work / f'addition-{index}'}"]
            else:
                trees = [source]
            parent = commit(bare, recipe, version, packages, trees, parent)
        with steps.step(f"packing the container image of {version.id}"):
            where = root if index == 0 else work / f"addition-{index}"
            layers.append(write_layer(where, work / f"layer-{index}", version, parent))
        with steps.step(f"writing the disk of {version.id}"):
            _write_build(
                recipe, version, parent, packages, layers, work / f"disk-{index}", bare, modules, target
            )
    with steps.step("filling the archive repository"):
        run(["ostree", "pull-local", f"--repo={archive}", "--depth=-1", bare, recipe.ref])
        run(["ostree", "summary", f"--repo={archive}", "--update"])
    write_sources(recipe, target)
    metadata.write_json(target / "builds/builds.json", metadata.builds(recipe))
    (target / "builds/latest").symlink_to(recipe.versions[-1].id)


def _addition(recipe: Recipe, version: Version, root: Path, where: Path, debs: Path) -> list[Package]:
    """Lay out only the additions of `version` to its predecessor `root`; return its new packages."""
    where.mkdir()
    added = []
    for name in version.packages:
        (deb,) = debs.glob(f"{name}_*.deb")
        alone = where.with_name(f"{where.name}-{name}")
        run(["dpkg-deb", "--extract", deb, alone])
        shutil.rmtree(alone / "usr/share/doc", ignore_errors=True)
        shutil.rmtree(alone / "usr/share/man", ignore_errors=True)
        shown = run(["dpkg-deb", "--show", f"--showformat={rpmdb.DPKG_FORMAT}", deb])
        added.append(rpmdb.extracted_package(alone, shown))
        shutil.copytree(alone, where, symlinks=True, dirs_exist_ok=True)
    tree.lay_over(version.overlay, where)
    tree.write_os_release(where, recipe, version)
    database = root / "run/rpmdb"
    rpmdb.write_database(root, added, database, timestamp=version.timestamp, base=root / rpmdb.DATABASE)
    shutil.move(database, where / rpmdb.DATABASE)
    return [entry.package for entry in added]


def _write_build(
    recipe: Recipe,
    version: Version,
    made: Commit,
    packages: list[Package],
    layers: list[Layer],
    work: Path,
    bare: Path,
    modules: Path,
    target: Path,
) -> None:
    work.mkdir()
    sysroot = work / "sysroot"
    deploy(recipe, bare, made, sysroot)
    name = metadata.artifact_name(recipe, version, "qemu", "qcow2")
    disk.fill_sysroot(recipe, version, made, sysroot, modules, image=name)
    boot_files = work / "boot"
    disk.split_boot(sysroot, boot_files)
    raw = work / "disk.raw"
    form = disk.Form(recipe.disk_size_mib, recipe.root_size_mib)
    disk.write_disk(recipe, sysroot, boot_files, modules, work, raw, form)
    directory = target / "builds" / version.id / recipe.arch.name
    directory.mkdir(parents=True)
    image = directory / name
    disk.to_qcow2(raw, image)
    archive = directory / metadata.artifact_name(recipe, version, "ostree", "ociarchive")
    write_archive(recipe, version, layers, archive)
    images = {}
    for kind, path in (("qemu", image), ("ostree", archive)):
        path.chmod(0o444)
        images[kind] = metadata.describe(path)
    content = metadata.meta(recipe, version, made, images, recipe_hash=recipe_hash(recipe.arch))
    metadata.write_json(directory / "meta.json", content)
    metadata.write_json(directory / "commitmeta.json", metadata.commit_meta(recipe, version, packages))
    discard(work)

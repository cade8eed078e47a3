"""The live artifacts of a finished build: metal images, ISO, PXE files, an image for OpenStack."""

from __future__ import annotations

import json
import re
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from harness.reference.build import disk, grub, metadata
from harness.reference.build.builder import Steps
from harness.reference.build.command import run
from harness.reference.build.commit import Commit, deploy, discard, make_repository
from harness.reference.build.recipe import Recipe, Version
from harness.reference.live import archive, osmet, system
from harness.reference.live.initramfs import Initramfs
from harness.reference.live.installer import Installer
from harness.reference.live.iso import LiveFiles, write_iso

Progress = Callable[[str], None]
# Packing, installing and hashing take time by the size of an image, empty or not.
_ROOT_RESERVE = 1.25
_MIB = disk.MIB
# Of a disk's kernel arguments, these make no sense without one.
_OF_A_DISK = ("root=", "rw", "$ignition_firstboot", "ignition.platform.id=", "console=", "ostree=")


@dataclass(frozen=True)
class _Build:
    """A build to which live artifacts are added, and its directories."""

    recipe: Recipe
    version: Version
    made: Commit
    directory: Path
    work: Path
    installer: Installer
    steps: Steps

    @property
    def sysroot(self) -> Path:
        return self.work / "sysroot"

    @property
    def boot_files(self) -> Path:
        return self.work / "boot"

    @property
    def volume_id(self) -> str:
        return f"{self.recipe.name}-{self.version.id}"[:32]

    def named(self, kind: str, suffix: str = "") -> Path:
        name = metadata.artifact_name(self.recipe, self.version, kind, suffix)
        # A kernel has no suffix and, in nosa's names, a hyphen before the architecture.
        return self.directory / (
            name if suffix else f"{self.recipe.name}-{self.version.id}-{kind}-{self.recipe.arch.name}"
        )


def build(recipe: Recipe, plain: Path, installer: Installer, target: Path, *, progress: Progress) -> None:
    """Fill the empty directory `target` with the build root `plain` and the artifacts of its newest build."""
    steps = Steps(progress, time.monotonic())
    with steps.step("taking over the build without live artifacts"):
        # Nobody writes to a finished artifact or repository, so they are shared.
        run(["cp", "-a", "--link", f"{plain}/.", target])
    version = recipe.versions[-1]
    directory = target / "builds" / version.id / recipe.arch.name
    meta = json.loads((directory / "meta.json").read_text(encoding="utf-8"))
    made = Commit(meta["ostree-commit"], meta["ostree-content-checksum"])
    work = target / "work"
    work.mkdir()
    what = _Build(recipe, version, made, directory, work, installer, steps)
    with steps.step("deploying the commit for metal"):
        _deploy(what, target / "repo")
    images = _write_disks(what)
    images |= _write_live(what, images)
    for path in images.values():
        path.chmod(0o444)
    with steps.step("measuring the artifacts"):
        for kind, path in images.items():
            image = metadata.describe(path)
            entry: dict[str, object] = {"path": image.path, "sha256": image.sha256, "size": image.size}
            if kind.startswith("live-"):
                entry["skip-compression"] = True
            meta["images"][kind] = entry
        (directory / "meta.json").unlink()
        metadata.write_json(directory / "meta.json", meta)
    with steps.step("cleaning up"):
        discard(work)


def _deploy(what: _Build, repository: Path) -> None:
    bare = make_repository(what.work / "bare", mode="bare")
    run(["ostree", "pull-local", f"--repo={bare}", repository, what.made.checksum])
    deploy(what.recipe, bare, what.made, what.sysroot, platform="metal")
    modules = grub.library(what.recipe.arch, what.work, what.work)
    name = what.named("metal", "raw").name
    disk.fill_sysroot(what.recipe, what.version, what.made, what.sysroot, modules, image=name)
    disk.split_boot(what.sysroot, what.boot_files)
    discard(bare)


def _write_disks(what: _Build) -> dict[str, Path]:
    used = int(run(["du", "-sm", "--apparent-size", what.sysroot]).split()[0])
    root = -(-int(used * _ROOT_RESERVE) // 4) * 4
    size = root + 1 + 1 + 127 + 384 + 1
    raw, raw4k = what.named("metal", "raw"), what.named("metal4k", "raw")
    with what.steps.step("writing the metal image"):
        _write(what, raw, disk.Form(size, root))
    with what.steps.step("writing the metal4k image"):
        disk.write_aleph(what.recipe, what.version, what.made, what.sysroot, image=raw4k.name)
        _write(what, raw4k, disk.Form(size, root, sector=4096, bios=False))
    openstack = what.named("openstack", "qcow2")
    with what.steps.step("writing the OpenStack image"):
        disk.write_aleph(what.recipe, what.version, what.made, what.sysroot, image=openstack.name)
        _retarget(what, "openstack")
        scratch = what.work / "openstack.raw"
        _write(what, scratch, disk.Form(what.recipe.disk_size_mib, what.recipe.root_size_mib))
        disk.to_qcow2(scratch, openstack)
        scratch.unlink()
        disk.write_aleph(what.recipe, what.version, what.made, what.sysroot, image=raw.name)
    return {"metal": raw, "metal4k": raw4k, "openstack": openstack}


def _write(what: _Build, image: Path, form: disk.Form) -> None:
    modules = grub.library(what.recipe.arch, what.work, what.work)
    disk.write_disk(what.recipe, what.sysroot, what.boot_files, modules, what.work, image, form)


def _retarget(what: _Build, platform: str) -> None:
    """Change the boot entry to `platform`. Nothing after the OpenStack image needs the old one."""
    (entry,) = (what.boot_files / "loader/entries").glob("*.conf")
    arguments = " ".join((f"ignition.platform.id={platform}", *what.recipe.consoles(platform)))
    text = entry.read_text(encoding="utf-8")
    entry.write_text(text.replace("ignition.platform.id=metal", arguments), encoding="utf-8")


def _write_live(what: _Build, images: dict[str, Path]) -> dict[str, Path]:
    kernel, initramfs, rootfs, iso = (
        what.named("live-kernel"),
        what.named("live-initramfs", "img"),
        what.named("live-rootfs", "img"),
        what.named("live", "iso"),
    )
    (boot,) = (what.boot_files / "ostree").iterdir()
    (base,) = boot.glob("initramfs-*")
    shutil.copyfile(next(boot.glob("vmlinuz-*")), kernel)
    (deployment,) = (what.sysroot / "ostree/deploy" / what.recipe.stateroot / "deploy").glob("*.0")
    squashfs = what.work / "root.squashfs"
    with what.steps.step("writing the root of the live system"):
        system.add_layer(what.sysroot, what.installer)
        system.write_squashfs(what.sysroot, squashfs)
    live = Initramfs(base, deployment, what.installer, what.version.id)
    arguments = tuple(
        argument for argument in what.recipe.kernel_arguments if not argument.startswith(_OF_A_DISK)
    )
    files = LiveFiles(what.volume_id, kernel, initramfs, rootfs, arguments)
    with what.steps.step("packing osmet files in a guest"):
        live.write(initramfs, what.work, rootfs=squashfs)
        packed = _pack(what, images, files, squashfs)
    with what.steps.step("writing the live initramfs and root file system"):
        stamp = what.work / "stamp"
        stamp.write_text(f"{what.version.id}\n", encoding="utf-8")
        members = [("root.squashfs", squashfs)]
        members += [(f"{images[kind].name}.osmet", path) for kind, path in packed.items()]
        archive.write_plain([*members, ("etc/nestos-live-rootfs", stamp)], rootfs)
        live.write(initramfs, what.work, rootfs=rootfs)
    with what.steps.step("writing the live ISO"):
        write_iso(files, what.installer, what.work, iso)
    return {"live-kernel": kernel, "live-initramfs": initramfs, "live-rootfs": rootfs, "live-iso": iso}


def _pack(what: _Build, images: dict[str, Path], files: LiveFiles, squashfs: Path) -> dict[str, Path]:
    metals = {
        kind: osmet.Metal(images[kind], sector, metadata.describe(images[kind]).sha256)
        for kind, sector in (("metal", 512), ("metal4k", 4096))
    }
    release = (what.sysroot / "ostree/deploy").glob("*/deploy/*.0/usr/lib/os-release")
    found = re.search(r'^NAME="?([^"\n]+)', next(release).read_text(encoding="utf-8"), re.MULTILINE)
    assert found is not None
    guest = osmet.Guest(files.kernel, files.initramfs, squashfs, files.default_arguments, what.volume_id)
    return osmet.pack(metals, f"{found[1]} {what.version.id}", guest, what.work)

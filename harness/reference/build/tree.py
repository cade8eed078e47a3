"""Turn an unpacked Debian tree into one that ostree deploys."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from pathlib import Path

from harness.reference.build import bootstrap, rpmdb, standin
from harness.reference.build.command import run
from harness.reference.build.recipe import Recipe, Version
from harness.reference.build.rpmheader import InstalledPackage

_TOP_LEVEL = {
    "bin",
    "boot",
    "dev",
    "lib",
    "lib32",
    "lib64",
    "libx32",
    "proc",
    "run",
    "sbin",
    "sys",
    "sysroot",
    "tmp",
    "usr",
    "var",
}


def lay_over(overlay: Path, tree: Path) -> None:
    """Copy `overlay` onto `tree`, owned by root, and executable like the source."""
    for source in sorted(overlay.rglob("*")):
        target = tree / source.relative_to(overlay)
        if source.is_dir():
            target.mkdir(mode=0o755, exist_ok=True)
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        target.unlink(missing_ok=True)
        shutil.copyfile(source, target)
        mode = 0o755 if source.stat().st_mode & 0o100 else 0o644
        target.chmod(0o440 if target.parent.name == "sudoers.d" else mode)


def remove(tree: Path, patterns: Iterable[str]) -> None:
    """Delete matching files and directories."""
    # All patterns are expanded first: glob() misses a link whose target is gone.
    found = [path for pattern in patterns for path in tree.glob(pattern)]
    for path in sorted(found):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


def write_os_release(tree: Path, recipe: Recipe, version: Version) -> None:
    """Write `/usr/lib/os-release`: NestOS for programs, and honest about itself for readers."""
    fields = {
        "NAME": '"NestOS"',
        "ID": "nestos",
        "ID_LIKE": '"openeuler"',
        "VARIANT": '"kola reference OS"',
        "VARIANT_ID": "container",
        "VERSION": f'"{version.id}"',
        "VERSION_ID": f'"{version.id.split("-")[0]}"',
        "BUILDID": f'"{version.id}"',
        "OSTREE_VERSION": f"'{version.id}'",
        "PRETTY_NAME": f'"NestOS {version.id} (kola reference OS, made from Debian {recipe.suite} packages)"',
    }
    target = tree / "usr/lib/os-release"
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text("".join(f"{key}={value}\n" for key, value in fields.items()), encoding="utf-8")


def kernel_version(tree: Path) -> str:
    """Return the version of the tree's only kernel."""
    (version,) = (path.name for path in (tree / "usr/lib/modules").iterdir())
    return version


def prepare(recipe: Recipe, tree: Path, extra: Path) -> None:
    """Apply overlay, groups and presets to the Debian tree; later versions' packages go to `extra`."""
    if (tree / bootstrap.EXTRA_DEBS).exists():
        shutil.move(tree / bootstrap.EXTRA_DEBS, extra)
    first = recipe.versions[0]
    for group in recipe.tree.groups:
        if f"\n{group}:" not in (tree / "etc/group").read_text(encoding="utf-8"):
            run(["groupadd", "--root", tree, "--system", group])
    remove(tree, recipe.tree.remove_first)
    lay_over(first.overlay, tree)
    write_os_release(tree, recipe, first)
    (tree / "etc/os-release").symlink_to("../usr/lib/os-release")
    run(["systemctl", "--root", tree, "preset-all"])
    run(["systemctl", "--root", tree, "set-default", "multi-user.target"])
    (tree / "etc/machine-id").write_text("", encoding="utf-8")
    (tree / "etc/hosts").write_text(
        "127.0.0.1 localhost localhost.localdomain\n::1 localhost\n", encoding="utf-8"
    )
    (tree / "etc/ssh/sshd_config.d").chmod(0o700)


def finish(recipe: Recipe, tree: Path) -> list[InstalledPackage]:
    """Convert the tree for ostree, and return its installed packages.

    The initramfs must exist by now: its build tools are removed.
    """
    rules = recipe.tree
    version = kernel_version(tree)
    modules = tree / "usr/lib/modules" / version
    shutil.move(tree / f"boot/vmlinuz-{version}", modules / "vmlinuz")
    standin.install(tree)
    remove(tree, ("boot/*", "vmlinuz*", "initrd.img*", *rules.remove))
    standin.compile_modules(tree)
    for unit in rules.mask:
        path = tree / "usr/lib/systemd/system" / unit
        path.unlink(missing_ok=True)
        path.symlink_to("/dev/null")
    _keep_package_list(tree)
    packages = rpmdb.installed_packages(tree)
    rpmdb.write_database(tree, packages, tree / rpmdb.DATABASE, timestamp=recipe.versions[0].timestamp)
    for name in ("tmp", "run", "var", "dev", "proc", "sys"):
        shutil.rmtree(tree / name, ignore_errors=True)
        (tree / name).mkdir(mode=0o755)
    (tree / "tmp").chmod(0o1777)
    (tree / "sysroot").mkdir()
    for path in tree.iterdir():
        if path.name not in _TOP_LEVEL | {"etc"}:
            shutil.rmtree(path)
    for name, target in rules.links.items():
        (tree / name).symlink_to(target)
    shutil.rmtree(tree / "usr/local")
    (tree / "usr/local").symlink_to("../var/usrlocal")
    shutil.move(tree / "etc", tree / "usr/etc")
    return packages


def _keep_package_list(tree: Path) -> None:
    """Copy dpkg's record of installed packages to where a read-only system keeps it."""
    (tree / "usr/share/dpkg-db").mkdir()
    shutil.copyfile(tree / "var/lib/dpkg/status", tree / "usr/share/dpkg-db/status")

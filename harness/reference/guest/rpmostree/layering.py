"""Layering: a commit that is its base, the files of some packages, and a database that lists them.

The packages are installed by librpm below an overlay over the base's checkout, so that scripts see the whole
system; what the overlay gathered is committed on top of the base's own tree, whose files are not read again.
"""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from . import namespace, rpms
from .errors import Failure
from .libostree import Gio, GLib, OSTree
from .rpms import RpmFile
from .system import System

# rpm-ostree changes this number with its way of assembling; tests only check that it exists.
_CLIENT_LAYER_VERSION = 6
_ALWAYS_THERE = ("/var/cache", "/var/lib", "/var/lock", "/var/log", "/var/run", "/var/spool", "/var/tmp")
_COPIED = ("version", "ostree.bootable", "ostree.linux", "nestos.stream")


@contextmanager
def checkout(system: System, base: str) -> Iterator[Path]:
    """Yield the tree of a commit as a read-only directory: a deployment's, or a temporary one."""
    deployed = system.checkout_of(base)
    if deployed is not None:
        yield deployed
        return
    with workspace(system) as work:
        target = work / "tree"
        argv = [
            "ostree",
            "checkout",
            "--require-hardlinks",
            f"--repo={system.repo_path}",
            base,
            str(target),
        ]
        subprocess.run(argv, check=True)
        yield target


@contextmanager
def workspace(system: System) -> Iterator[Path]:
    """Yield a scratch directory on the repository's file system."""
    with tempfile.TemporaryDirectory(prefix="rpmostree-", dir=system.repo_path / "tmp") as name:
        work = Path(name)
        work.chmod(0o755)
        yield work


@contextmanager
def assembled_root(tree: Path, work: Path, *, scripts: bool) -> Iterator[Path]:
    """Yield `tree` as a root to install into. Changes go to `work/upper`, those of /var to `work/var`."""
    upper, root = work / "upper", work / "root"
    for directory in (upper, root, work / "work", work / "var"):
        directory.mkdir()
    shutil.copystat(tree, upper)
    with ExitStack() as mounts:

        def mounted(target: Path) -> None:
            mounts.callback(namespace.unmount, str(target))

        namespace.overlay(lower=str(tree), upper=str(upper), work=str(work / "work"), target=str(root))
        mounted(root)
        # A deployment's /etc belongs to its owner; packages bring defaults.
        for source, target in ((root / "usr/etc", root / "etc"), (work / "var", root / "var")):
            target.mkdir(exist_ok=True)
            namespace.bind(str(source), str(target))
            mounted(target)
        if scripts:
            for name in ("tmp", "run"):
                (root / name).mkdir(exist_ok=True)
                namespace.tmpfs(str(root / name))
                mounted(root / name)
            for name in ("dev", "proc"):
                (root / name).mkdir(exist_ok=True)
                namespace.bind(f"/{name}", str(root / name), recursive=True)
                mounted(root / name)
        yield root


def assemble(system: System, base: str, files: list[RpmFile]) -> str:
    """Commit `base` with `files` installed and return the checksum.

    Raises `Failure` when that is impossible.
    """
    with workspace(system) as work, checkout(system, base) as tree:
        with assembled_root(tree, work, scripts=any(_has_scripts(file) for file in files)) as root:
            rpms.install(str(root), files)
            rpms.settle_database(root / rpms.DATABASE.lstrip("/"))
        upper = work / "upper"
        for name in ("etc", "var", "tmp", "run", "dev", "proc", "sys"):
            # Mount points that the overlay had to copy, never files of the packages.
            if (upper / name).is_dir() and not (upper / name).is_symlink():
                shutil.rmtree(upper / name)
        _state_by_tmpfiles(work / "var", upper)
        metadata = system.metadata(base)
        rows = [*metadata.get("rpmostree.rpmdb.pkglist", []), *(file.row for file in files)]
        variants = {key: _variant(metadata[key]) for key in _COPIED if key in metadata} | {
            "rpmostree.clientlayer": GLib.Variant("b", True),
            "rpmostree.clientlayer_version": GLib.Variant("u", _CLIENT_LAYER_VERSION),
            "rpmostree.packages": GLib.Variant("as", sorted(file.name for file in files)),
            "rpmostree.rpmdb.pkglist": GLib.Variant("a(sssss)", sorted(tuple(row) for row in rows)),
        }
        return commit_on_top(system, base, [upper], variants)


def _variant(value: object) -> GLib.Variant:
    return GLib.Variant("b", value) if isinstance(value, bool) else GLib.Variant("s", str(value))


def _has_scripts(file: RpmFile) -> bool:
    return any(file.header[tag] for tag in ("prein", "postin", "pretrans", "posttrans"))


def _state_by_tmpfiles(var: Path, upper: Path) -> None:
    """Turn directories in /var into tmpfiles.d lines, and drop files there: /var belongs to the machine."""
    lines = []
    for path in sorted(var.rglob("*")):
        name = f"/var/{path.relative_to(var)}"
        if name in _ALWAYS_THERE:
            continue
        status = path.lstat()
        if stat.S_ISDIR(status.st_mode):
            lines.append(f"d {name} {stat.S_IMODE(status.st_mode):04o} {status.st_uid} {status.st_gid} - -")
        elif stat.S_ISLNK(status.st_mode):
            lines.append(f"L {name} - - - - {path.readlink()}")
    if lines:
        target = upper / "usr/lib/tmpfiles.d/rpm-ostree-autovar.conf"
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text("\n".join(lines) + "\n", encoding="utf-8")


def commit_on_top(
    system: System, base: str | None, trees: list[Path], metadata: dict[str, GLib.Variant]
) -> str:
    """Commit the tree of `base` with each of `trees` laid over it in turn; return the checksum.

    `trees` mark deletions like overlayfs (a character device 0:0 for a name, the attribute
    `trusted.overlay.opaque` for a whole directory) or like OCI layers (`.wh.NAME`, `.wh..wh..opq`).
    """
    repo = system.repo
    mtree = OSTree.MutableTree.new_from_commit(repo, base) if base else OSTree.MutableTree.new()
    modifier = OSTree.RepoCommitModifier.new(OSTree.RepoCommitModifierFlags.SKIP_XATTRS, None)
    repo.prepare_transaction(None)
    try:
        for tree in trees:
            for removed in take_whiteouts(tree):
                remove_from(mtree, removed)
            repo.write_directory_to_mtree(Gio.File.new_for_path(str(tree)), mtree, modifier, None)
        _, root = repo.write_mtree(mtree, None)
        _, checksum = repo.write_commit(base, "", None, GLib.Variant("a{sv}", metadata), root, None)
        repo.commit_transaction(None)
    except GLib.Error as error:
        repo.abort_transaction(None)
        raise Failure(f"Committing: {error.message}") from error
    return str(checksum)


def take_whiteouts(tree: Path) -> list[Path]:
    """Remove the deletion marks of overlayfs and OCI from `tree`; return the relative paths to delete
    below.
    """
    removed = []
    for parent, directories, names in os.walk(tree):
        for name in names:
            path = Path(parent, name)
            status = path.lstat()
            if stat.S_ISCHR(status.st_mode) and status.st_rdev == 0:
                removed.append(path)
            elif name == ".wh..wh..opq":
                removed.append(path.parent)
            elif name.startswith(".wh."):
                removed.append(path.with_name(name.removeprefix(".wh.")))
            else:
                continue
            path.unlink()
        for name in directories:
            path = Path(parent, name)
            if not path.is_symlink() and "trusted.overlay.opaque" in os.listxattr(path):
                removed.append(path)
    return [path.relative_to(tree) for path in removed]


def remove_from(mtree: OSTree.MutableTree, path: Path) -> None:
    """Remove `path` from a tree before its commit; a missing path is ignored."""
    for part in path.parts[:-1]:
        try:
            _, _, mtree = mtree.lookup(part)
        except GLib.Error:
            return
        if mtree is None:
            return
    mtree.remove(path.name, True)

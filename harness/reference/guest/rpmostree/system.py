"""The sysroot: its deployments, and the deployment of a new one for the next boot."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from . import origin as origins
from .errors import Failure
from .libostree import Gio, GLib, OSTree
from .origin import Origin

if TYPE_CHECKING:  # `status` needs neither this nor `namespace`, and an import costs time under emulation
    from pathlib import Path

_BASE_REFS = "rpmostree/base"


class Metadata(Mapping[str, Any]):
    """The metadata of a commit as plain Python values, converted at their first use, since lists are long."""

    def __init__(self, variant: Any) -> None:
        entries = [variant.get_child_value(number) for number in range(variant.n_children())]
        self._entries = {entry.get_child_value(0).get_string(): entry.get_child_value(1) for entry in entries}

    def __getitem__(self, key: str) -> Any:
        return self._entries[key].unpack()

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)

    def __contains__(self, key: object) -> bool:
        return key in self._entries


class System:
    """A loaded sysroot. Opened for writing it holds the sysroot's lock until the process ends."""

    def __init__(self, path: str, *, write: bool) -> None:
        if write:
            if os.geteuid() != 0:
                raise Failure("This command requires root privileges")
            from . import namespace

            namespace.enter()
        self.sysroot = OSTree.Sysroot.new(Gio.File.new_for_path(path))
        if write:
            self.sysroot.set_mount_namespace_in_use()
            self.sysroot.initialize()
            locked = self.sysroot.try_lock()
            if not locked[-1] if isinstance(locked, tuple) else not locked:
                raise Failure("Transaction in progress: another command holds the lock of the sysroot")
        self.sysroot.load(None)
        self.repo = self.sysroot.repo()
        self._path = path
        self._metadata: dict[str, Metadata] = {}
        self.deployments: list[Any] = list(self.sysroot.get_deployments())
        if not self.deployments:
            raise Failure("This system has no deployments")
        self.booted: Any = self.sysroot.get_booted_deployment()
        if self.booted is None and path == "/":
            raise Failure(
                "This system was not booted via libostree.\n"
                "Currently, most rpm-ostree commands only work on ostree-based host systems."
            )
        self.osname: str = (self.booted or self.deployments[0]).get_osname()
        # /etc comes from the running system, everything else from the deployment of the next boot.
        self._etc_of: Any = self.sysroot.get_merge_deployment(self.osname)
        pending = self.deployments[0]
        ours = self.booted is not None and pending.get_osname() == self.osname
        self.merge: Any = pending if ours else self._etc_of

    def reload(self) -> None:
        """Read the list of deployments again."""
        self.sysroot.load_if_changed(None)
        self.deployments = list(self.sysroot.get_deployments())

    def origin(self, deployment: Any = None) -> Origin:
        """Return the origin of a deployment, by default of the one that new deployments start from."""
        keyfile = (deployment or self.merge).get_origin()
        if keyfile is None:
            raise Failure("The deployment has no origin: rebase first")
        return origins.parse(keyfile)

    @property
    def repo_path(self) -> Path:
        """The repository's directory."""
        from pathlib import Path

        return Path(self._path) / "ostree/repo"

    def metadata(self, checksum: str) -> Metadata:
        """Return the metadata of a commit."""
        if checksum not in self._metadata:
            _, commit = self.repo.load_variant(OSTree.ObjectType.COMMIT, checksum)
            self._metadata[checksum] = Metadata(commit.get_child_value(0))
        return self._metadata[checksum]

    def timestamp(self, checksum: str) -> int:
        """Return the time of a commit, in seconds since 1970."""
        _, commit = self.repo.load_variant(OSTree.ObjectType.COMMIT, checksum)
        return int(OSTree.commit_get_timestamp(commit))

    def base(self, checksum: str) -> str:
        """Return the commit below the layered packages of `checksum`; itself when there are none."""
        if not self.metadata(checksum).get("rpmostree.clientlayer"):
            return checksum
        _, commit = self.repo.load_variant(OSTree.ObjectType.COMMIT, checksum)
        return str(OSTree.commit_get_parent(commit))

    def resolve(self, ref: str) -> str | None:
        """Return the commit of a ref, or None when the ref does not exist here."""
        _, checksum = self.repo.resolve_rev(ref, True)
        return checksum or None

    def has_commit(self, checksum: str) -> bool:
        """Return True when the whole commit is here, not only its metadata."""
        _, found = self.repo.has_object(OSTree.ObjectType.COMMIT, checksum, None)
        if not found:
            return False
        _, _, state = self.repo.load_commit(checksum)
        return not state & OSTree.RepoCommitState.PARTIAL

    def directory(self, deployment: Any) -> Path:
        """Return the checkout of a deployment."""
        from pathlib import Path

        return Path(self.sysroot.get_deployment_directory(deployment).get_path())

    def checkout_of(self, checksum: str) -> Path | None:
        """Return the directory of a deployment of exactly that commit, or None."""
        for deployment in self.deployments:
            if deployment.get_csum() == checksum and not deployment.is_staged():
                return self.directory(deployment)
        return None

    def arguments(self, deployment: Any) -> list[str]:
        """Return the kernel arguments of a deployment, without the one that names it."""
        words = (deployment.get_bootconfig().get("options") or "").split()
        return [word for word in words if not word.startswith("ostree=")]

    def deploy(self, checksum: str, origin: Origin, *, kernel_arguments: list[str] | None = None) -> None:
        """Deploy `checksum` for the next boot: staged until shutdown on a running system, at once
        elsewhere.
        """
        keyfile = origins.fill(GLib.KeyFile(), origin)
        if kernel_arguments is None:
            kernel_arguments = self.arguments(self.merge)
        # Refs first: a concurrent prune must already know the base of the new deployment.
        self._write_base_refs([checksum])
        if self.booted is not None:
            self.sysroot.stage_tree(self.osname, checksum, keyfile, self._etc_of, kernel_arguments, None)
        else:
            _, deployment = self.sysroot.deploy_tree(
                self.osname, checksum, keyfile, self._etc_of, kernel_arguments, None
            )
            flags = OSTree.SysrootSimpleWriteDeploymentFlags.NONE
            self.sysroot.simple_write_deployment(self.osname, deployment, self._etc_of, flags, None)
        self.reload()
        self._write_base_refs([])

    def write_deployments(self, deployments: list[Any]) -> None:
        """Keep exactly these deployments, the first one for the next boot."""
        self.sysroot.write_deployments(deployments, None)
        self.reload()
        self._write_base_refs([])

    def _write_base_refs(self, further: list[str]) -> None:
        """Keep the bases of layered commits, which no ref of ostree's own contains."""
        commits = [*(deployment.get_csum() for deployment in self.deployments), *further]
        bases = sorted({self.base(commit) for commit in commits if self.base(commit) != commit})
        _, old = self.repo.list_refs(_BASE_REFS, None)
        for number, checksum in enumerate(bases):
            self.repo.set_ref_immediate(None, f"{_BASE_REFS}/{number}", checksum, None)
        for name in old:
            number_text = name.rpartition("/")[2]
            if not number_text.isdigit() or int(number_text) >= len(bases):
                self.repo.set_ref_immediate(None, f"{_BASE_REFS}/{number_text}", None, None)

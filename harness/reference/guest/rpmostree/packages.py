"""`install` and `uninstall`, and the rebuild after every change of base or packages."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

from . import depsolve, layering, rpms
from .errors import Failure
from .libostree import GLib
from .origin import Origin
from .rpms import RpmFile
from .status import package_diff
from .system import System
from .text import nevra


def change(
    system: System,
    origin: Origin,
    *,
    install: Sequence[str] = (),
    uninstall: Sequence[str] = (),
    allow_inactive: bool = False,
    idempotent: bool = False,
) -> Origin:
    """Return `origin` with packages added and removed. Raises `Failure` for invalid requests."""
    for wanted in uninstall:
        origin = _without(origin, wanted, idempotent=idempotent)
    for wanted in install:
        if wanted.endswith(".rpm") or wanted.startswith("file://"):
            origin = _with_local(system, origin, wanted, idempotent=idempotent)
        else:
            origin = _with_request(
                system, origin, wanted, allow_inactive=allow_inactive, idempotent=idempotent
            )
    return origin


def _name(nevra_text: str) -> str:
    return nevra_text.rsplit("-", 2)[0]


def _without(origin: Origin, wanted: str, *, idempotent: bool) -> Origin:
    if wanted in origin.requested:
        rest = tuple(name for name in origin.requested if name != wanted)
        return origin._replace(requested=rest)
    local = {text: sum_ for text, sum_ in origin.local.items() if wanted not in (text, _name(text))}
    if local == origin.local and not idempotent:
        raise Failure(f"Package/capability '{wanted}' is not currently requested")
    return origin._replace(local=local)


def _with_local(system: System, origin: Origin, wanted: str, *, idempotent: bool) -> Origin:
    path = Path(wanted.removeprefix("file://"))
    file = rpms.read(path)
    text = nevra(file.row)
    if text in origin.local or file.name in map(_name, origin.local):
        if idempotent:
            return origin
        raise Failure(f"Package '{file.name}' is already layered")
    checksum = hashlib.sha256(path.read_bytes()).hexdigest()
    store = _store(system)
    store.mkdir(parents=True, exist_ok=True)
    if not (store / f"{checksum}.rpm").exists():
        shutil.copyfile(path, store / f"{checksum}.rpm.new")
        (store / f"{checksum}.rpm.new").rename(store / f"{checksum}.rpm")
    return origin._replace(local={**origin.local, text: checksum})


def _with_request(
    system: System, origin: Origin, wanted: str, *, allow_inactive: bool, idempotent: bool
) -> Origin:
    if wanted in origin.requested or wanted in map(_name, origin.local):
        if idempotent:
            return origin
        what = "Package/capability" if wanted in origin.requested else "Package"
        state = "requested" if wanted in origin.requested else "layered"
        raise Failure(f"{what} '{wanted}' is already {state}")
    base = system.base(system.merge.get_csum())
    with layering.checkout(system, base) as tree:
        providers = rpms.installed(str(tree), wanted)
    if providers and not allow_inactive and not _is_layered(system, wanted):
        names = "".join(f"\n  {nevra(row)}" for row in providers)
        raise Failure(
            f'"{wanted}" is already provided by:{names}. Use --allow-inactive to explicitly require it.'
        )
    return origin._replace(requested=(*origin.requested, wanted))


def _is_layered(system: System, name: str) -> bool:
    return name in system.metadata(system.merge.get_csum()).get("rpmostree.packages", [])


def _store(system: System) -> Path:
    return system.repo_path / "extensions/rpmostree/pkgcache"


def forget_unused(system: System) -> None:
    """Delete the stored local packages that no deployment requests."""
    used = {sum_ for deployment in system.deployments for sum_ in system.origin(deployment).local.values()}
    for path in _store(system).glob("*.rpm*"):
        if path.name.partition(".")[0] not in used:
            path.unlink()


def rebuild(system: System, origin: Origin, base: str, *, dry_run: bool = False) -> bool:
    """Deploy `base` with the packages of `origin`, and print the differences.

    Returns False when the next boot has the same already. Raises `Failure` when it cannot be made; nothing
    has changed then.
    """
    files: list[RpmFile] = []
    current = system.merge.get_csum()
    if origin.is_layered:
        with tempfile.TemporaryDirectory(prefix="rpm-ostree-", dir="/var/tmp") as name:
            print(f"Checking out tree {base[:7]}...", flush=True)
            files = _collect(system, origin, base, Path(name))
            if dry_run:
                _print_transaction(files)
                return True
            commit = layering.assemble(system, base, files) if files else base
    else:
        commit = base
    if commit == current and system.origin() == origin:
        return False
    if dry_run:
        return True
    print("Staging deployment...", flush=True)
    system.deploy(commit, origin)
    booted = system.booted or system.merge
    for line in package_diff(system, booted.get_csum(), commit).lines():
        print(line)
    return True


def _print_transaction(files: Sequence[RpmFile]) -> None:
    print(f"Installing {len(files)} packages:")
    for file in sorted(files, key=lambda file: file.row):
        print(f"  {nevra(file.row)}")


def _collect(system: System, origin: Origin, base: str, directory: Path) -> list[RpmFile]:
    """Return the packages of `origin` and all their dependencies, on disk."""
    with layering.checkout(system, base) as tree:
        root = str(tree)
        files = []
        for text, checksum in origin.local.items():
            path = _store(system) / f"{checksum}.rpm"
            if not path.exists():
                raise Failure(f"the stored copy of {text} is gone: uninstall and install it again")
            file = rpms.read(path)
            if any(row == file.row for row in rpms.installed(root, file.name)):
                raise Failure(f"Package '{text}' is already in the base")
            files.append(file)
        wanted = [name for name in origin.requested if not rpms.installed(root, name)]
        # Repositories of the running system: a staged deployment has no /etc yet.
        repositories = system.directory(system.booted or system.merge) / "etc/yum.repos.d"
        return depsolve.complete(root, files, wanted, repositories=repositories, directory=directory)


def finished(*, reboot: bool) -> None:
    """Print the end of a transaction that changed the next boot, or reboot."""
    if reboot:
        GLib.spawn_command_line_sync("systemctl reboot")
    else:
        print('Changes queued for next boot. Run "systemctl reboot" to start a reboot')

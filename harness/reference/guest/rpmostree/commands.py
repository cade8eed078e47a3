"""The subcommands. `cli` has read their options."""

from __future__ import annotations

import subprocess
from argparse import Namespace
from typing import Any

from . import kernelargs, packages, status, text
from .errors import Failure, Unchanged
from .libostree import GLib, OSTree
from .origin import Origin, is_image_reference
from .system import System


def install(options: Namespace) -> None:
    """Run `install`."""
    _change_packages(options, install=options.packages, uninstall=options.uninstall)


def uninstall(options: Namespace) -> None:
    """Run `uninstall`."""
    if options.all:
        system = System(options.sysroot, write=True)
        origin = system.origin().with_packages((), {})
        _rebuild_or_say(system, options, origin, system.base(system.merge.get_csum()))
        return
    _change_packages(options, install=options.install, uninstall=options.packages)


def _change_packages(options: Namespace, *, install: list[str], uninstall: list[str]) -> None:
    system = System(options.sysroot, write=True)
    origin = packages.change(
        system,
        system.origin(),
        install=install,
        uninstall=uninstall,
        allow_inactive=getattr(options, "allow_inactive", False),
        idempotent=options.idempotent,
    )
    _rebuild_or_say(system, options, origin, system.base(system.merge.get_csum()))


def _rebuild(system: System, options: Namespace, origin: Origin, base: str) -> bool:
    """Deploy and report it; return False when there was nothing to do."""
    dry_run = getattr(options, "dry_run", False)
    if not packages.rebuild(system, origin, base, dry_run=dry_run):
        return False
    if dry_run:
        print("Exiting because of '--dry-run' option")
    else:
        packages.finished(reboot=options.reboot)
    return True


def _rebuild_or_say(system: System, options: Namespace, origin: Origin, base: str) -> None:
    if not _rebuild(system, options, origin, base):
        print("No change.")
        raise Unchanged


def upgrade(options: Namespace) -> None:
    """Run `upgrade`, with `--check` and `--preview`."""
    look_only = options.check or options.preview
    system = System(options.sysroot, write=True)
    origin = system.origin()
    current = system.base(system.merge.get_csum())
    if origin.override_commit:
        print("Pinned to commit; no upgrade available")
        raise Unchanged
    if origin.is_image:
        from . import image

        if look_only:
            image.check(system, origin.source, current)
            return
        base = image.pull(system, origin.source)
    else:
        base = _pull(system, origin.source, download=not options.cache_only)
        if not options.allow_downgrade and system.timestamp(base) < system.timestamp(current):
            raise Failure(
                f"Upgrade target revision '{base}' with timestamp "
                f"'{text.time_utc(system.timestamp(base))}' is chronologically older than current revision "
                f"'{current}' with timestamp '{text.time_utc(system.timestamp(current))}'; "
                "use --allow-downgrade to permit"
            )
        if look_only:
            _available(system, current, base, verbose=options.preview)
            return
    if options.download_only:
        print("Update downloaded.")
        return
    changed = packages.change(system, origin, install=options.install, uninstall=options.uninstall)
    # Requested packages may be newer in their repository although the base is not.
    same = base == current and changed == origin and not origin.requested
    if same or not _rebuild(system, options, changed, base):
        print("No upgrade available.")
        raise Unchanged


def _available(system: System, current: str, base: str, *, verbose: bool) -> None:
    if base == current:
        print("No updates available.")
        raise SystemExit(77)
    print("AvailableUpdate:")
    when = text.time_utc(system.timestamp(base))
    version = system.metadata(base).get("version")
    print(text.key_value("Version", f"{version} ({when})") if version else text.key_value("Timestamp", when))
    print(text.key_value("Commit", base))
    diff = status.package_diff(system, current, base)
    if diff.summary():
        print(text.key_value("Diff", diff.summary()))
    if verbose:
        print("\n".join(diff.lines()))


def _pull(system: System, refspec: str, *, download: bool = True, commit: str | None = None) -> str:
    """Return the commit of a refspec, fetched if it has a remote.

    Raises `Failure` with libostree's message.
    """
    remote, colon, branch = refspec.rpartition(":")
    if colon and remote and download:
        try:
            system.repo.pull(remote, [commit or branch], OSTree.RepoPullFlags.NONE, None, None)
        except GLib.Error as error:
            raise Failure(f"While pulling {refspec}: {error.message}") from error
    checksum = commit or system.resolve(refspec)
    if checksum is None:
        raise Failure(f"Refspec '{refspec}' not found")
    return checksum


def rebase(options: Namespace) -> None:
    """Run `rebase` to a branch, or to a container image."""
    system = System(options.sysroot, write=True)
    origin = system.origin()
    refspec = _target(options, origin)
    if is_image_reference(refspec):
        from . import image

        if refspec == origin.source:
            raise Failure(f"Old and new refs are equal: {refspec}")
        base = image.pull(system, refspec)
    else:
        if not options.revision and refspec == origin.source:
            raise Failure(f"Old and new refs are equal: {refspec}")
        print(f"Rebasing to {refspec}", flush=True)
        revision = (options.revision or "").removeprefix("commit=") or None
        base = _pull(system, refspec, download=not options.cache_only, commit=revision)
    if options.download_only:
        print("Update downloaded.")
        return
    override = base if options.revision and not is_image_reference(refspec) else None
    _rebuild_or_say(system, options, origin._replace(source=refspec, override_commit=override), base)


def _target(options: Namespace, origin: Origin) -> str:
    given: str | None = options.refspec
    if given is None:
        if options.branch is None and options.remote is None:
            raise Failure("Must specify refspec, or -b branch or -m remote")
        given = f"{options.remote}:{options.branch or ''}" if options.remote else options.branch
    if not given:
        raise Failure("Refspec is empty")
    if is_image_reference(given):
        return given
    old_remote, _, old_branch = ("" if origin.is_image else origin.source).rpartition(":")
    if given.startswith(":"):
        return given[1:]
    if given.endswith(":"):
        return given + old_branch
    return given if ":" in given or not old_remote else f"{old_remote}:{given}"


def deploy(options: Namespace) -> None:
    """Run `deploy` of a commit or version of the current branch."""
    system = System(options.sysroot, write=True)
    origin = system.origin()
    if origin.is_image:
        raise Failure("Cannot look up a revision of a container image: use rebase")
    revision = options.revision
    if revision.startswith("revision="):
        revision = revision.removeprefix("revision=")
    if len(revision) == 64 and set(revision) <= set("0123456789abcdef"):
        print(f"Validating checksum '{revision}'", flush=True)
        base = revision if system.has_commit(revision) else _pull(system, origin.source, commit=revision)
    else:
        version = revision.removeprefix("version=")
        print(f"Resolving version '{version}'", flush=True)
        base = _version(system, _pull(system, origin.source), version, origin.source)
    if options.download_only:
        print("Update downloaded.")
        return
    changed = packages.change(system, origin, install=options.install, uninstall=options.uninstall)
    _rebuild_or_say(system, options, changed._replace(override_commit=base), base)


def _version(system: System, tip: str, version: str, refspec: str) -> str:
    remote, _, _ = refspec.rpartition(":")
    checksum: str | None = tip
    while checksum:
        if remote and not system.repo.has_object(OSTree.ObjectType.COMMIT, checksum, None)[1]:
            system.repo.pull(remote, [checksum], OSTree.RepoPullFlags.COMMIT_ONLY, None, None)
        if system.metadata(checksum).get("version") == version:
            return _pull(system, refspec, commit=checksum)
        _, commit = system.repo.load_variant(OSTree.ObjectType.COMMIT, checksum)
        checksum = OSTree.commit_get_parent(commit)
    raise Failure(f"Version {version} not found in {refspec}")


def rollback(options: Namespace) -> None:
    """Run `rollback`: the deployment after the booted one boots next, or the booted one again."""
    system = System(options.sysroot, write=True)
    pending, other = _beside_booted(system)
    if not pending and not other:
        raise Failure("No rollback deployment found")
    if pending and pending[0].is_staged():
        raise Failure("Staged deployment (remove with cleanup -p)")
    first = other[0] if other else system.booted
    print(f"Moving '{first.get_csum()}.{first.get_deployserial()}' to be first deployment", flush=True)
    rest = [deployment for deployment in system.deployments if not deployment.equal(first)]
    old_first = system.deployments[0]
    if not old_first.equal(first):
        system.write_deployments([first, *rest])
    diff = status.package_diff(system, (system.booted or old_first).get_csum(), first.get_csum())
    for line in diff.lines():
        print(line)
    packages.finished(reboot=options.reboot)


def _beside_booted(system: System) -> tuple[list[Any], list[Any]]:
    """Return the deployments of this state root before the booted one in boot order, and those after it."""
    ours = [entry for entry in system.deployments if entry.get_osname() == system.osname]
    if system.booted is None:
        return [], ours[1:]
    index = next(number for number, entry in enumerate(ours) if entry.equal(system.booted))
    return ours[:index], ours[index + 1 :]


def cleanup(options: Namespace) -> None:
    """Run `cleanup`."""
    if not (options.base or options.pending or options.rollback or options.repomd):
        raise Failure("At least one cleanup option must be specified")
    system = System(options.sysroot, write=True)
    pending, other = _beside_booted(system)
    gone = [*(pending if options.pending else []), *(other if options.rollback else [])]
    if gone:
        kept = [entry for entry in system.deployments if not any(entry.equal(one) for one in gone)]
        system.write_deployments(kept)
    elif options.pending or options.rollback:
        print("Deployments unchanged.")
    if gone or options.base:
        packages.forget_unused(system)
        system.sysroot.cleanup(None)


def kargs(options: Namespace) -> None:
    """Run `kargs`: show them, or change them in a new deployment of the same commit."""
    changes = kernelargs.Changes(
        append=options.append,
        replace=options.replace,
        delete=options.delete,
        append_if_missing=options.append_if_missing,
        delete_if_present=options.delete_if_present,
    )
    if options.reboot and not changes:
        raise Failure("Cannot reboot when kernel arguments not changed")
    system = System(options.sysroot, write=bool(changes))
    deployment = system.merge
    if options.deploy_index is not None:
        try:
            deployment = system.deployments[int(options.deploy_index)]
        except (ValueError, IndexError):
            raise Failure(f"Out of range deployment index {options.deploy_index}") from None
    before = system.arguments(deployment)
    if not changes:
        print(" ".join(before))
        return
    after = kernelargs.apply(" ".join(before), changes)
    if after == before:
        print("No changes.")
        raise Unchanged
    print("Staging deployment...", flush=True)
    system.deploy(deployment.get_csum(), system.origin(deployment), kernel_arguments=after)
    print("Kernel arguments updated.")
    if options.reboot:
        subprocess.run(["systemctl", "reboot"], check=True)
    else:
        print('Run "systemctl reboot" to start a reboot')

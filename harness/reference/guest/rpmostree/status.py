"""`rpm-ostree status`: the deployments, as text and as JSON with rpm-ostree's field names."""

from __future__ import annotations

import json
from argparse import Namespace
from collections.abc import Mapping
from typing import Any

from . import text
from .system import System

# Promoted to fields of the deployment, or too long for every status.
_NOT_SHOWN = (
    "rpmostree.rpmdb.pkglist",
    "rpmostree.packages",
    "ostree.manifest",
    "ostree.container.image-config",
)


def deployments(system: System) -> list[dict[str, Any]]:
    """Return the deployments in boot order, as in the `deployments` member of the JSON."""
    return [_deployment(system, deployment) for deployment in system.deployments]


def _deployment(system: System, deployment: Any) -> dict[str, Any]:
    checksum = deployment.get_csum()
    osname = deployment.get_osname()
    serial = deployment.get_deployserial()
    origin = system.origin(deployment)
    metadata = system.metadata(checksum)
    base = system.base(checksum)
    base_metadata = system.metadata(base) if base != checksum else metadata
    booted = system.booted is not None and deployment.equal(system.booted)
    result: dict[str, Any] = {
        "id": f"{osname}-{checksum}.{serial}",
        "osname": osname,
        "serial": serial,
        "checksum": checksum,
        "booted": booted,
        "pinned": bool(deployment.is_pinned()),
        "staged": bool(deployment.is_staged()),
        "unlocked": _unlocked(deployment),
        "regenerate-initramfs": False,
        "requested-packages": sorted(origin.requested),
        "requested-local-packages": sorted(origin.local),
        "requested-local-fileoverride-packages": [],
        "requested-base-removals": [],
        "requested-base-local-replacements": [],
        "requested-modules": [],
        "requested-modules-enabled": [],
        "packages": _active(origin.requested, metadata),
        "modules": [],
        "base-removals": [],
        "base-local-replacements": [],
        "base-remote-replacements": {},
        "timestamp": system.timestamp(checksum),
        "base-commit-meta": _shown(base_metadata),
    }
    version = metadata.get("version")
    if version:
        result["version"] = version
    if base != checksum:
        result["base-checksum"] = base
        result["base-timestamp"] = system.timestamp(base)
        if base_metadata.get("version"):
            result["base-version"] = base_metadata["version"]
        result["layered-commit-meta"] = _shown(metadata)
    if origin.is_image:
        result["container-image-reference"] = origin.source
        digest = base_metadata.get("ostree.manifest-digest")
        if digest:
            result["container-image-reference-digest"] = digest
    else:
        result["origin"] = origin.source
        result["gpg-enabled"] = False
        pending = system.resolve(origin.source)
        if pending and pending != base:
            result["pending-base-checksum"] = pending
            result["pending-base-timestamp"] = system.timestamp(pending)
            pending_version = system.metadata(pending).get("version")
            if pending_version:
                result["pending-base-version"] = pending_version
    return dict(sorted(result.items()))


def _unlocked(deployment: Any) -> str:
    return str(deployment.get_unlocked().value_nick)


def _active(requested: tuple[str, ...], metadata: Mapping[str, Any]) -> list[str]:
    layered = set(metadata.get("rpmostree.packages", []))
    return sorted(name for name in requested if name in layered)


def _shown(metadata: Mapping[str, Any]) -> dict[str, Any]:
    return {key: metadata[key] for key in metadata if key not in _NOT_SHOWN}


def as_json(system: System, *, only_booted: bool) -> dict[str, Any]:
    """Return the whole document."""
    rows = [row for row in deployments(system) if row["booted"] or not only_booted]
    return {"deployments": rows, "transaction": None, "cached-update": None, "update-driver": None}


def as_text(system: System, *, only_booted: bool, verbose: bool) -> list[str]:
    """Return the text for people; `verbose` adds state root, index, staging and idle requests."""
    rows = deployments(system)
    several_roots = len({row["osname"] for row in rows}) > 1
    lines = ["State: idle"]
    if verbose:
        lines.append("AutomaticUpdates: disabled")
    lines.append("BootedDeployment:" if only_booted else "Deployments:")
    printed = 0
    for index, row in enumerate(rows):
        if only_booted and not row["booted"]:
            continue
        if printed:
            lines.append("")
        printed += 1
        lines += _deployment_text(
            system, row, index=index, verbose=verbose, state_root=verbose or several_roots
        )
        if index == 0 and not row["booted"]:
            lines += _diff_text(system, row["checksum"])
    return lines


def _deployment_text(
    system: System, row: dict[str, Any], *, index: int, verbose: bool, state_root: bool
) -> list[str]:
    source = row.get("container-image-reference") or row.get("origin") or row["checksum"]
    mark = "●" if row["booted"] else " "
    lines = [f"{mark} {source}" + (f" (index: {index})" if verbose else "")]
    pair = text.key_value
    if "container-image-reference-digest" in row:
        lines.append(pair("Digest", row["container-image-reference-digest"]))
    when = text.time_utc(row.get("base-timestamp", row["timestamp"]))
    version = row.get("version")
    lines.append(pair("Version", f"{version} ({when})") if version else pair("Timestamp", when))
    if verbose or "container-image-reference" not in row:
        if "base-checksum" in row:
            lines.append(pair("BaseCommit", row["base-checksum"]))
            if verbose:
                lines.append(pair("Commit", row["checksum"]))
        else:
            lines.append(pair("Commit", row["checksum"]))
    if verbose and (row["staged"] or index == 0):
        lines.append(pair("Staged", "yes" if row["staged"] else "no"))
    if state_root:
        lines.append(pair("StateRoot", row["osname"]))
    idle = set(row["requested-packages"]) - set(row["packages"])
    if verbose and idle:
        lines.append(pair("InactiveRequests", text.quoted(idle)))
    if row["packages"]:
        lines.append(pair("LayeredPackages", text.quoted(row["packages"])))
    if row["requested-local-packages"]:
        lines.append(pair("LocalPackages", text.quoted(row["requested-local-packages"])))
    if row["pinned"]:
        lines.append(pair("Pinned", "yes"))
    if row["unlocked"] != "none":
        lines.append(pair("Unlocked", row["unlocked"]))
    return lines


def package_diff(system: System, old: str, new: str) -> text.PackageDiff:
    """Return the differences between the packages of two commits, as far as their metadata lists them."""
    rows = [system.metadata(checksum).get("rpmostree.rpmdb.pkglist", []) for checksum in (old, new)]
    return text.PackageDiff(*rows)


def _diff_text(system: System, checksum: str) -> list[str]:
    if system.booted is None:
        return []
    summary = package_diff(system, system.booted.get_csum(), checksum).summary()
    return [text.key_value("Diff", summary)] if summary else []


def show(options: Namespace) -> None:
    """Run the command."""
    system = System(options.sysroot, write=False)
    if options.json:
        print(json.dumps(as_json(system, only_booted=options.booted), indent=2))
    else:
        print("\n".join(as_text(system, only_booted=options.booted, verbose=options.verbose)))
    if options.pending_exit_77 and not deployments(system)[0]["booted"]:
        raise SystemExit(77)

"""`rpm-ostree` on a machine: its status as data, and operations on deployments."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from harness.machine.machine import Machine


@dataclass(frozen=True)
class Deployment:
    """A deployment in `rpm-ostree status --json`; `source` is a refspec or an image reference."""

    id: str
    osname: str
    serial: int
    checksum: str
    base: str
    version: str
    source: str
    digest: str
    booted: bool
    staged: bool
    requested: tuple[str, ...]
    local: tuple[str, ...]
    packages: tuple[str, ...]

    @property
    def directory(self) -> PurePosixPath:
        """The directory of the deployment."""
        return PurePosixPath(f"/ostree/deploy/{self.osname}/deploy/{self.checksum}.{self.serial}")


def _deployment(row: dict[str, Any]) -> Deployment:
    return Deployment(
        id=row["id"],
        osname=row["osname"],
        serial=row["serial"],
        checksum=row["checksum"],
        base=row.get("base-checksum", row["checksum"]),
        version=row.get("version", ""),
        source=row.get("container-image-reference") or row.get("origin", ""),
        digest=row.get("container-image-reference-digest", ""),
        booted=row["booted"],
        staged=row.get("staged", False),
        requested=tuple(row.get("requested-packages", ())),
        local=tuple(row.get("requested-local-packages", ())),
        packages=tuple(row.get("packages", ())),
    )


def deployments(machine: Machine) -> list[Deployment]:
    """Return the deployments in the order of the boot menu: the next boot's first."""
    document = json.loads(machine.run("rpm-ostree status --json").check().stdout)
    return [_deployment(row) for row in document["deployments"]]


def booted(machine: Machine) -> Deployment:
    """Return the running deployment."""
    (one,) = [deployment for deployment in deployments(machine) if deployment.booted]
    return one


def boot_entries(machine: Machine) -> list[str]:
    """Return the files of the boot menu's entries."""
    return machine.run("ls /boot/loader/entries", sudo=True).check().lines


_PASSING = ("ostree=", "BOOT_IMAGE=", "ignition.firstboot", "$ignition_firstboot")
"""Prefixes of kernel arguments that belong to one deployment or one boot only."""


def _steady(arguments: str) -> tuple[str, ...]:
    return tuple(word for word in arguments.split() if not word.startswith(_PASSING))


def kernel_arguments(machine: Machine) -> tuple[str, ...]:
    """Return the arguments of the running kernel that all deployments share, in order."""
    return _steady(machine.run("cat /proc/cmdline").check().stdout)


def entry_arguments(machine: Machine) -> list[tuple[str, ...]]:
    """Return the same for each boot entry."""
    options = machine.run("sed -n 's/^options //p' /boot/loader/entries/*.conf", sudo=True).check().lines
    return [_steady(line) for line in options]


def commit_new_version(
    machine: Machine, version: str, *, branch: str = "local-branch", base: str = ""
) -> str:
    """Commit the booted system, or the commit `base`, and nothing new, as `version`; the commit's checksum.

    It is the head of a local branch.
    """
    base = base or booted(machine).checksum
    return (
        machine.run(
            f"ostree commit -b {branch} --tree=ref={base} --add-metadata-string=version={version}",
            sudo=True,
        )
        .check()
        .stdout.strip()
    )


def only_repository(machine: Machine, text: str) -> None:
    """Make the repository described by `text` the only one, so that nothing contacts the internet."""
    machine.run("mkdir -p /etc/yum.repos.d && rm -f /etc/yum.repos.d/*", sudo=True).check()
    if text:
        machine.file("/etc/yum.repos.d/kola.repo").write(text)

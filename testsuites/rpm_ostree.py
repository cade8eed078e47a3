"""`rpm-ostree` on a machine: its status as data, and what tests of deployments do with it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from harness.machine.machine import Machine


@dataclass(frozen=True)
class Deployment:
    """One deployment as `rpm-ostree status --json` has it; `source` is a refspec or an image reference."""

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
        """Where it is checked out."""
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
    """In the order of the boot menu: the next boot's first."""
    document = json.loads(machine.run("rpm-ostree status --json").check().stdout)
    return [_deployment(row) for row in document["deployments"]]


def booted(machine: Machine) -> Deployment:
    """The deployment that runs."""
    (one,) = [deployment for deployment in deployments(machine) if deployment.booted]
    return one


def boot_entries(machine: Machine) -> list[str]:
    """The files of the boot menu's entries."""
    return machine.run("ls /boot/loader/entries", sudo=True).check().lines


def commit_new_version(machine: Machine, version: str, *, branch: str = "local-branch") -> str:
    """Commit the booted system, and nothing new, as `version` on a local branch; the commit's checksum."""
    base = booted(machine).checksum
    return (
        machine.run(
            f"ostree commit -b {branch} --tree=ref={base} --add-metadata-string=version={version}",
            sudo=True,
        )
        .check()
        .stdout.strip()
    )


def only_repository(machine: Machine, text: str) -> None:
    """Make the repository described by `text` the only one; nothing reaches for the internet."""
    machine.run("mkdir -p /etc/yum.repos.d && rm -f /etc/yum.repos.d/*", sudo=True).check()
    if text:
        machine.file("/etc/yum.repos.d/kola.repo").write(text)

"""The requirements of a host that builds the reference OS."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from harness.errors import ConfigError
from harness.reference.build.arch import Arch
from harness.reference.build.command import SEARCH_PATH, run

BINFMT = "binfmt-support"
# Its installation registers nothing on a host without systemd; this command mounts binfmt_misc as well.
_REGISTER = ("update-binfmts", "--enable")


@dataclass(frozen=True)
class Requirement:
    """A Debian package, and the program or file that proves its presence."""

    package: str
    probe: str


_COMMON = (
    Requirement("mmdebstrap", "mmdebstrap"),
    Requirement("ostree", "ostree"),
    Requirement("e2fsprogs", "mke2fs"),
    Requirement("dosfstools", "mkfs.fat"),
    Requirement("mtools", "mcopy"),
    Requirement("fdisk", "sfdisk"),
    Requirement("grub-common", "grub-mkimage"),
    Requirement("qemu-utils", "qemu-img"),
    Requirement("zstd", "zstd"),
)


def requirements(arch: Arch) -> tuple[Requirement, ...]:
    """Return every package needed to build for `arch`. GRUB for a foreign one comes with its packages."""
    if arch.foreign:
        return (
            *_COMMON,
            Requirement("arch-test", "arch-test"),
            Requirement("qemu-user-static", f"qemu-{arch.name}-static"),
            Requirement(BINFMT, f"/proc/sys/fs/binfmt_misc/qemu-{arch.name}"),
        )
    return (*_COMMON, *(Requirement(grub.package, f"/usr/lib/grub/{grub.format}") for grub in arch.grubs))


def _is_present(requirement: Requirement) -> bool:
    if requirement.probe.startswith("/"):
        return Path(requirement.probe).exists()
    return shutil.which(requirement.probe, path=SEARCH_PATH) is not None


def missing(
    needed: Iterable[Requirement], is_present: Callable[[Requirement], bool] = _is_present
) -> tuple[str, ...]:
    """Return the packages of `needed` that this host lacks, in order."""
    return tuple(requirement.package for requirement in needed if not is_present(requirement))


def require(packages: tuple[str, ...], *, install: bool) -> None:
    """Raise `ConfigError` with the apt command to run, or run it when `install` is set."""
    if os.geteuid() != 0:
        raise ConfigError(
            "building the reference OS needs root: it unpacks packages with their owners",
            hint="run the same command with sudo, or pass --workdir DIR with a finished build in it",
        )
    if not packages:
        return
    emulates = BINFMT in packages
    if not install:
        command = f"apt-get install -y --no-install-recommends {' '.join(packages)}"
        enable = f" && {' '.join(_REGISTER)}" if emulates else ""
        raise ConfigError(
            f"this host lacks what it takes to build the reference OS: {', '.join(packages)}",
            hint=f"{command}{enable} (or --install-missing)",
        )
    quiet = {"DEBIAN_FRONTEND": "noninteractive"}
    run(["apt-get", "update", "-q"], env=quiet, for_the_host=True)
    installing = ["apt-get", "install", "-y", "-q", "--no-install-recommends", *packages]
    run(installing, env=quiet, for_the_host=True)
    if emulates:
        run(_REGISTER, for_the_host=True)

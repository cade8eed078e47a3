"""The differences between architectures, in one table."""

from __future__ import annotations

import platform
from dataclasses import dataclass

from harness.errors import ConfigError


@dataclass(frozen=True)
class Grub:
    """A GRUB platform: its `grub-mkimage` format, host package, and EFI file name if it is one."""

    format: str
    package: str
    efi_name: str | None = None


@dataclass(frozen=True)
class Arch:
    """The names of one architecture in Debian, GRUB and the kernel."""

    name: str
    debian: str
    kernel_package: str
    console: str
    grubs: tuple[Grub, ...]

    @property
    def foreign(self) -> bool:
        """True when this host runs the architecture's programs only by emulation."""
        return self.name != platform.machine()


ARCHES = {
    arch.name: arch
    for arch in (
        Arch(
            name="x86_64",
            debian="amd64",
            kernel_package="linux-image-cloud-amd64",
            console="ttyS0,115200n8",
            grubs=(
                Grub("i386-pc", "grub-pc-bin"),
                Grub("x86_64-efi", "grub-efi-amd64-bin", "BOOTX64.EFI"),
            ),
        ),
        Arch(
            name="aarch64",
            debian="arm64",
            kernel_package="linux-image-cloud-arm64",
            console="ttyAMA0,115200n8",
            grubs=(Grub("arm64-efi", "grub-efi-arm64-bin", "BOOTAA64.EFI"),),
        ),
    )
}


def arch_named(name: str | None = None) -> Arch:
    """Return the architecture called `name`, by default the host's."""
    wanted = name or platform.machine()
    if wanted not in ARCHES:
        raise ConfigError(
            f"there is no reference OS for {wanted}", hint=f"known architectures: {', '.join(ARCHES)}"
        )
    return ARCHES[wanted]

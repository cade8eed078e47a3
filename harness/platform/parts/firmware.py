"""Firmware images on the host, and a private copy of their variables."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from harness.errors import ConfigError
from harness.machine.spec import Firmware
from harness.platform.parts import descriptors


@dataclass(frozen=True)
class FirmwareFiles:
    """A code image that QEMU maps read-only, and the pristine variables, which are copied for each
    machine.
    """

    code: Path
    variables: Path
    package: str


_OVMF = [
    FirmwareFiles(Path("/usr/share/OVMF/OVMF_CODE_4M.fd"), Path("/usr/share/OVMF/OVMF_VARS_4M.fd"), "ovmf"),
    FirmwareFiles(Path("/usr/share/OVMF/OVMF_CODE.fd"), Path("/usr/share/OVMF/OVMF_VARS.fd"), "ovmf"),
    FirmwareFiles(
        Path("/usr/share/edk2/ovmf/OVMF_CODE.fd"), Path("/usr/share/edk2/ovmf/OVMF_VARS.fd"), "edk2-ovmf"
    ),
]
_OVMF_SECURE = [
    FirmwareFiles(
        Path("/usr/share/OVMF/OVMF_CODE_4M.ms.fd"), Path("/usr/share/OVMF/OVMF_VARS_4M.ms.fd"), "ovmf"
    ),
    FirmwareFiles(
        Path("/usr/share/edk2/ovmf/OVMF_CODE.secboot.fd"),
        Path("/usr/share/edk2/ovmf/OVMF_VARS.secboot.fd"),
        "edk2-ovmf",
    ),
]
_AARCH64 = [
    FirmwareFiles(
        Path("/usr/share/AAVMF/AAVMF_CODE.fd"), Path("/usr/share/AAVMF/AAVMF_VARS.fd"), "qemu-efi-aarch64"
    ),
    FirmwareFiles(
        Path("/usr/share/edk2/aarch64/QEMU_EFI-pflash.raw"),
        Path("/usr/share/edk2/aarch64/vars-template-pflash.raw"),
        "edk2-aarch64",
    ),
]


def find(firmware: Firmware, arch: str) -> FirmwareFiles | None:
    """Return the host's files for this firmware; None for BIOS.

    QEMU's descriptors are tried first, then the usual paths of distributions. Raises ConfigError with the
    package to install.
    """
    if arch == "aarch64":
        if firmware is not Firmware.UEFI:
            raise ConfigError(f"aarch64 has no {firmware} firmware", hint="use --qemu-firmware uefi")
        candidates = _AARCH64
    elif firmware is Firmware.BIOS:
        return None
    else:
        candidates = _OVMF_SECURE if firmware is Firmware.UEFI_SECURE else _OVMF
    described = descriptors.find(firmware, arch)
    if described is not None:
        return FirmwareFiles(described.code, described.variables, candidates[0].package)
    for files in candidates:
        if files.code.exists() and files.variables.exists():
            return files
    raise ConfigError(
        f"this host has no {firmware} firmware for {arch}", hint=f"apt-get install {candidates[0].package}"
    )


def private_variables(files: FirmwareFiles) -> int:
    """Return an anonymous in-memory copy of the variables; the caller closes the descriptor."""
    descriptor = os.memfd_create("kola-efi-vars")
    os.write(descriptor, files.variables.read_bytes())
    return descriptor

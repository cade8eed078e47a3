"""TFTP directories from which firmware boots a live system: PXELINUX for BIOS, GRUB for UEFI."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.errors import ConfigError
from harness.machine.boot import NetworkBoot
from harness.machine.spec import Firmware
from harness.util.process import run_tool

_PXELINUX = (
    "/usr/lib/PXELINUX/pxelinux.0",
    "/usr/share/syslinux/pxelinux.0",
    "/usr/share/syslinux/lpxelinux.0",
)
_LDLINUX = ("/usr/lib/syslinux/modules/bios/ldlinux.c32", "/usr/share/syslinux/ldlinux.c32")
_GRUB_FORMATS = {"x86_64": "x86_64-efi", "aarch64": "arm64-efi"}
_GRUB_MODULES = (
    "efinet",
    "tftp",
    "http",
    "net",
    "linux",
    "normal",
    "configfile",
    "echo",
    "serial",
    "terminal",
    "test",
)
_GRUB_PREFIX = "boot/grub2"


@dataclass(frozen=True)
class Components:
    """The files of a network boot. Several initrds are loaded in order."""

    kernel: Path
    initrds: tuple[Path, ...]


def network_boot(
    directory: Path, files: Components, arguments: str, *, firmware: Firmware, arch: str = "x86_64"
) -> NetworkBoot:
    """Fill `directory` and return the network boot from it. Raises ConfigError when a tool is missing."""
    directory.mkdir(parents=True, exist_ok=True)
    kernel = _put(files.kernel, directory / "vmlinuz")
    initrds = [_put(path, directory / f"initrd{number}.img") for number, path in enumerate(files.initrds)]
    if firmware is Firmware.BIOS:
        return NetworkBoot("/pxelinux.0", _pxelinux(directory, kernel, initrds, arguments))
    return NetworkBoot(_grub(directory, kernel, initrds, arguments, arch), directory)


def _pxelinux(directory: Path, kernel: str, initrds: Sequence[str], arguments: str) -> Path:
    _put(_find(_PXELINUX, package="pxelinux"), directory / "pxelinux.0")
    _put(_find(_LDLINUX, package="syslinux-common"), directory / "ldlinux.c32")
    (directory / "pxelinux.cfg").mkdir()
    lines = [
        "SERIAL 0 115200",
        "DEFAULT live",
        "PROMPT 0",
        "TIMEOUT 1",
        "LABEL live",
        f"  KERNEL {kernel}",
        f"  APPEND initrd={','.join(initrds)} {arguments}",
    ]
    (directory / "pxelinux.cfg/default").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return directory


def _grub(directory: Path, kernel: str, initrds: Sequence[str], arguments: str, arch: str) -> str:
    """Install GRUB with its configuration and return the path of its boot file.

    GRUB reads `/boot/grub2/grub.cfg` from the server it was fetched from.
    """
    home = directory / _GRUB_PREFIX
    home.mkdir(parents=True)
    image = home / "core.efi"
    # fmt: off
    run_tool([
        "grub-mkimage",
        "-O", _GRUB_FORMATS[arch],
        "-p", f"/{_GRUB_PREFIX}",
        "-o", str(image),
        *_GRUB_MODULES,
    ])
    # fmt: on
    lines = [
        "set timeout=1",
        "menuentry live {",
        f"  linux /{kernel} {arguments}",
        f"  initrd {' '.join(f'/{name}' for name in initrds)}",
        "}",
    ]
    (home / "grub.cfg").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return f"/{_GRUB_PREFIX}/core.efi"


def _put(source: Path, target: Path) -> str:
    """Link or copy a file into the TFTP directory and return its name there.

    Initrds are large, so a hard link is tried first.
    """
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)
    target.chmod(0o644) if target.stat().st_nlink == 1 else None
    return target.name


def _find(candidates: Sequence[str], *, package: str) -> Path:
    for candidate in candidates:
        if Path(candidate).exists():
            return Path(candidate)
    raise ConfigError(
        f"this host has no {Path(candidates[0]).name} to boot from the network",
        hint=f"apt-get install {package}",
    )

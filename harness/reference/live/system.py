"""The root of the live system: the metal image's, with the installer beside the deployment, as a squashfs."""

from __future__ import annotations

import shutil
from pathlib import Path

from harness.reference.build.command import run
from harness.reference.build.tree import lay_over
from harness.reference.live.installer import PROGRAM, Installer

_LAYER = Path(__file__).parent / "guest/system"
# The initramfs lays this over /usr and /etc.
_DIRECTORY = "live"


def add_layer(sysroot: Path, installer: Installer) -> None:
    """Add the files that only a live system has to `sysroot`."""
    layer = sysroot / _DIRECTORY
    layer.mkdir()
    lay_over(_LAYER, layer)
    usr = layer / "usr"
    units, generators, programs = (
        usr / name for name in ("lib/systemd/system", "lib/systemd/system-generators", "libexec")
    )
    programs.mkdir()
    shutil.copyfile(installer.program, usr / "bin" / PROGRAM)
    (usr / "bin" / PROGRAM).chmod(0o755)
    for path in (installer.directory / "systemd").iterdir():
        target = generators if path.name.endswith("-generator") else units
        shutil.copyfile(path, target / path.name)
    for path in (installer.directory / "scripts").iterdir():
        shutil.copyfile(path, programs / path.name)
    for path in (*generators.iterdir(), *programs.iterdir()):
        path.chmod(0o755)
    (units / "default.target").symlink_to("multi-user.target")
    # As in NestOS: who waits for the network waits for NetworkManager.
    wants = units / "network-online.target.wants"
    wants.mkdir()
    (wants / "NetworkManager-wait-online.service").symlink_to("../NetworkManager-wait-online.service")


def write_squashfs(sysroot: Path, target: Path) -> None:
    """Write a squashfs with lz4, which unpacks fastest: under emulation that matters more than the size."""
    # ostree would refuse to make a file system read-only that cannot be anything else.
    run(["ostree", "config", f"--repo={sysroot}/ostree/repo", "set", "sysroot.readonly", "false"])
    run(["mksquashfs", sysroot, target, "-quiet", "-no-progress", "-noappend", "-comp", "lz4"])

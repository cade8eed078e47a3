"""A live ISO in miniature, made by xorriso: the files and areas of a real one, and nothing that boots."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

KARGS = "mitigations=auto,nosmt nestos.liveiso=nestos-1 ignition.firstboot console=tty1"
AREA_SIZE = 1024
INITRD_AREA = 262144
VOLUME = "nestos-1"

needs_xorriso = pytest.mark.skipif(shutil.which("xorriso") is None, reason="needs xorriso")


def tree(
    directory: Path, *, kargs: str = KARGS, features: bool = True, vendor: str = "EFI/openEuler"
) -> Path:
    """The files of a live ISO below `directory`."""
    for name in ("nestos", "images/pxeboot", "isolinux", vendor):
        (directory / name).mkdir(parents=True)
    area = (kargs + "\n").ljust(AREA_SIZE, "#")
    files = []
    for path, before in (
        ("isolinux/isolinux.cfg", "append initrd=/images/pxeboot/initrd.img,/images/ignition.img "),
        (f"{vendor}/grub.cfg", "linux /images/pxeboot/vmlinuz "),
    ):
        (directory / path).write_text(f"{before}{area} NESTOS_KARG_EMBED_AREA\n")
        files.append({"path": path, "offset": len(before), "pad": "#", "end": "\n"})
    described = {"default": kargs, "size": AREA_SIZE, "files": files}
    (directory / "nestos/kargs.json").write_text(json.dumps(described))
    (directory / "nestos/igninfo.json").write_text('{"file": "images/ignition.img"}')
    if features:
        (directory / "nestos/features.json").write_text('{"live-initrd-network": true}')
    (directory / "images/ignition.img").write_bytes(bytes(INITRD_AREA))
    (directory / "images/pxeboot/vmlinuz").write_bytes(b"kernel" * 100)
    (directory / "images/pxeboot/initrd.img").write_bytes(b"initramfs" * 500)
    (directory / "images/pxeboot/rootfs.img").write_bytes(b"rootfs" * 5000)
    return directory


def image(source: Path, target: Path, *, level: int = 1, rock_ridge: bool = True) -> Path:
    """The ISO image of that tree."""
    options = ["-r"] if rock_ridge else []
    # fmt: off
    subprocess.run([
        "xorriso", "-as", "mkisofs",
        "-quiet",
        "-iso-level", str(level),
        "-V", VOLUME,
        *options,
        "-o", str(target),
        str(source),
    ], check=True, capture_output=True)
    # fmt: on
    return target


def live_iso(directory: Path, **options: Any) -> Path:
    """A live ISO called `live.iso` in `directory`."""
    return image(tree(directory / "tree", **options), directory / "live.iso")

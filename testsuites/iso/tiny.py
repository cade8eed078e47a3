"""A disk image of some MiB that the installer accepts as NestOS: a boot partition and a boot entry.

It does not boot. With it an installation takes seconds, so that options and refusals can all be tried.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from harness.util.process import run_tool

SIZE_MIB = 64
BOOT_OFFSET = 1024 * 1024
OPTIONS = "root=LABEL=root ignition.platform.id=metal mitigations=auto,nosmt $ignition_firstboot"
_BOOT_MIB = 40
_ROOT_MIB = 16


def write(image: Path) -> Path:
    """Make the image."""
    with image.open("wb") as file:
        file.truncate(SIZE_MIB * 1024 * 1024)
    script = f"label: gpt\nstart=1MiB, size={_BOOT_MIB}MiB, name=boot\nsize={_ROOT_MIB}MiB, name=root\n"
    run_tool(["sfdisk", "--quiet", str(image)], input=script.encode())
    with tempfile.TemporaryDirectory() as scratch:
        entry = Path(scratch, "loader/entries/ostree-1-nestos.conf")
        entry.parent.mkdir(parents=True)
        entry.write_text(f"title NestOS\nversion 1\noptions {OPTIONS}\n", encoding="utf-8")
        Path(scratch, "ignition.firstboot").touch()
        # fmt: off
        run_tool([
            "mke2fs",
            "-q",
            "-t", "ext4",
            "-L", "boot",
            "-d", scratch,
            "-E", f"offset={BOOT_OFFSET}",
            str(image),
            f"{_BOOT_MIB}M",
        ])
        # fmt: on
    return image

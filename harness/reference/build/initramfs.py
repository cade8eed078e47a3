"""The initramfs: Debian's dracut with one module of ours, run inside the tree."""

from __future__ import annotations

import shutil
from pathlib import Path

from harness.reference.build.command import run
from harness.reference.build.recipe import GUEST
from harness.reference.build.tree import kernel_version

_MODULE = "50nestos"


def build_initramfs(tree: Path, source: Path = GUEST / "initramfs") -> Path:
    """Make `/usr/lib/modules/<version>/initramfs.img` in `tree` and return its path."""
    version = kernel_version(tree)
    target = Path("/usr/lib/modules") / version / "initramfs.img"
    shutil.copytree(source, tree / "usr/lib/dracut/modules.d" / _MODULE)
    run(
        [
            "chroot",
            tree,
            "dracut",
            "--quiet",
            "--force",
            "--no-hostonly",
            "--reproducible",
            "--no-early-microcode",
            "--nostrip",
            "--modules",
            _MODULE.lstrip("0123456789"),
            "--compress",
            "zstd -19 -T0",
            "--tmpdir",
            "/tmp",
            target,
            version,
        ]
    )
    built = tree / target.relative_to("/")
    built.chmod(0o644)
    return built

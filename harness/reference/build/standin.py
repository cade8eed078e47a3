"""Installation of the stand-in for rpm-ostree in a tree: its modules, its Python, its start programs."""

from __future__ import annotations

import shutil
from pathlib import Path

from harness.reference.build.command import run
from harness.reference.build.recipe import GUEST

_HOME = Path("usr/lib/rpm-ostree")
_PYTHON = f"/{_HOME}/python3"
# Isolated, and without `site`, which would read every installed module before the first line runs.
_START = f"""#!{_PYTHON} -IS
import sys
sys.path[:0] = ["/{_HOME}", "/usr/lib/python3/dist-packages"]
from rpmostree.{{module}} import main
sys.exit(main(sys.argv[1:]))
"""


def install(tree: Path) -> None:
    """Copy the stand-in and a Python of its own below `/usr/lib/rpm-ostree`."""
    home = tree / _HOME
    shutil.copytree(GUEST / "rpmostree", home / "rpmostree", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy2(tree / "usr/bin/python3", home / "python3")
    for name, module in (
        ("usr/bin/rpm-ostree", "cli"),
        ("usr/libexec/libostree/ext/ostree-container", "container"),
    ):
        program = tree / name
        program.parent.mkdir(parents=True, exist_ok=True)
        program.write_text(_START.format(module=module), encoding="utf-8")
        program.chmod(0o755)


def compile_modules(tree: Path) -> None:
    """Compile all Python modules to byte code.

    ostree gives every file the same time stamp, so byte code must not be compared with its source.
    """
    (libraries,) = (tree / "usr/lib").glob("python3.*")
    run(
        [
            "chroot",
            tree,
            _PYTHON,
            "-m",
            "compileall",
            "-q",
            "-f",
            "--invalidation-mode",
            "unchecked-hash",
            f"/usr/lib/{libraries.name}",
            "/usr/lib/python3/dist-packages",
            f"/{_HOME}/rpmostree",
        ]
    )

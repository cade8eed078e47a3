"""Put the stand-in for rpm-ostree into a tree: its modules, its Python, the programs that start it."""

from __future__ import annotations

import shutil
from pathlib import Path

from harness.reference.command import run
from harness.reference.recipe import HERE

_HOME = Path("usr/lib/rpm-ostree")
_PYTHON = f"/{_HOME}/python3"
# Isolated, and without `site`, which would look at every installed module before the first line runs.
_START = f"""#!{_PYTHON} -IS
import sys
sys.path[:0] = ["/{_HOME}", "/usr/lib/python3/dist-packages"]
from rpmostree.{{module}} import main
sys.exit(main(sys.argv[1:]))
"""


def install(tree: Path) -> None:
    """Copy the stand-in and a Python of its own below `/usr/lib/rpm-ostree`."""
    home = tree / _HOME
    shutil.copytree(HERE / "rpmostree", home / "rpmostree", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy2(tree / "usr/bin/python3", home / "python3")
    for name, module in (
        ("usr/bin/rpm-ostree", "cli"),
        ("usr/libexec/libostree/ext/ostree-container", "container"),
    ):
        program = tree / name
        program.parent.mkdir(parents=True, exist_ok=True)
        program.write_text(_START.format(module=module))
        program.chmod(0o755)


def compile_modules(tree: Path) -> None:
    """Make byte code of all the Python there is.

    ostree gives every file the same time stamp, so it must not be checked against its source.
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

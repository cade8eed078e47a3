"""`ostree container commit`, and installation of packages, inside a container that is being built."""

from __future__ import annotations

import shutil
import sys
from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path

from .errors import Failure

_TRANSIENT = ("/tmp", "/var/tmp", "/var/cache", "/var/log", "/run/rpm-ostree")


def inside() -> bool:
    """Return True inside a container of our OS, False on the OS itself."""
    return not Path("/run/ostree-booted").exists() and Path("/usr/lib/rpm-ostree").exists()


def install(options: Namespace) -> None:
    """Run `rpm-ostree install` in a Containerfile: install straight into the root file system."""
    import tempfile

    from . import depsolve, rpms
    from .text import nevra

    with tempfile.TemporaryDirectory(prefix="rpm-ostree-", dir="/tmp") as name:
        files = [rpms.read(Path(word)) for word in options.packages if word.endswith(".rpm")]
        wanted = [word for word in options.packages if not word.endswith(".rpm")]
        repositories = Path("/etc/yum.repos.d")
        files = depsolve.complete("/", files, wanted, repositories=repositories, directory=Path(name))
        for file in files:
            print(f"Installing {nevra(file.row)}", flush=True)
        rpms.install("/", files)
        rpms.settle_database(Path(rpms.DATABASE))


def commit() -> None:
    """Empty directories that no image should contain. The image builder makes the layer itself."""
    if not inside():
        raise Failure("Not in a container: this command cleans up at the end of a Containerfile's RUN")
    for directory in map(Path, _TRANSIENT):
        for path in directory.glob("*") if directory.is_dir() else ():
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)


def main(arguments: Sequence[str]) -> int:
    """Run `ostree container …`: only `commit` is supported."""
    try:
        # ostree passes its own subcommand on.
        if [word for word in arguments if word != "container"] != ["commit"]:
            raise Failure(  # noqa: TRY301 - one place prints errors
                "of `ostree container` the kola reference OS has only `commit`; images are made by "
                "buildah and deployed by `rpm-ostree rebase`"
            )
        commit()
    except Failure as failure:
        print(f"error: {failure}", file=sys.stderr)
        return 1
    return 0

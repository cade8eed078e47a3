"""`nosa run`: a machine of the build, of an image or of an ISO, with a shell in it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from kola.nosa.call import call

DEVSHELL_NAME = "nosa-devsh"
WORKDIR_MOUNT = "/var/mnt/workdir"


def main(words: Sequence[str]) -> int:
    """Return the exit status of the shell. All options are those of `kola qemuexec`."""
    return call(command_line(words, Path.cwd()))


def command_line(words: Sequence[str], directory: Path) -> list[str]:
    """Return kola's command line. `tmp` of the build directory can be written at /var/mnt/workdir-tmp.

    A command (`-x`) needs no terminal, so the machine gets the name and the directory of a devshell by
    other flags.
    """
    shared = [f"--bind-rw={directory / 'tmp'},{WORKDIR_MOUNT}-tmp"] if (directory / "tmp").is_dir() else []
    if not any(word in ("-x", "--ssh-command") or word.startswith("--ssh-command=") for word in words):
        return ["qemuexec", "--devshell", *shared, *words]
    return [
        "qemuexec", f"--hostname={DEVSHELL_NAME}", f"--bind-ro={directory},{WORKDIR_MOUNT}", *shared, *words
    ]  # fmt: skip

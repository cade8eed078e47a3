"""The installation of nosa's commands, and the way back to what was there before."""

from __future__ import annotations

import os
import shlex
import sys
from pathlib import Path

from harness.errors import ConfigError

DIRECTORY = Path("/usr/lib/coreos-assembler")
ASIDE = ".before-kola"
"""The directory beside the commands that holds the originals. nosa does not take it for a command."""

NAMES = ("cmd-kola", "cmd-kola-run", "cmd-run")
_FILES = Path(__file__).parent / "commands"
_OURS = b"# Installed by `kola nosa install`;"
_PYTHON = "@PYTHON@"


def install(directory: Path) -> list[str]:
    """Put kola's commands into `directory`, and return the names of those that replaced another's file.

    A replaced file is moved to `.before-kola`, whatever it is. Raises ConfigError when the directory is
    missing or cannot be written.
    """
    _require(directory)
    replaced = []
    try:
        for name in NAMES:
            target = directory / name
            fresh = directory / f".{name}.{os.getpid()}"
            text = (_FILES / name).read_text(encoding="utf-8")
            try:
                fresh.write_text(text.replace(_PYTHON, shlex.quote(sys.executable)), encoding="utf-8")
                fresh.chmod(0o755)
                if os.path.lexists(target) and not _is_ours(target):
                    (directory / ASIDE).mkdir(exist_ok=True)
                    target.replace(directory / ASIDE / name)
                    replaced.append(name)
                fresh.replace(target)
            finally:
                fresh.unlink(missing_ok=True)
    except OSError as error:
        raise _unwritable(directory, error) from error
    return replaced


def uninstall(directory: Path) -> list[str]:
    """Remove kola's commands, move the originals back, and return the names of those.

    A file that somebody else has put there since stays, and its predecessor stays aside. Raises ConfigError
    when nothing of ours is there, or the directory cannot be written.
    """
    _require(directory)
    aside = directory / ASIDE
    restored = []
    try:
        if not aside.is_dir() and not any(_is_ours(directory / name) for name in NAMES):
            raise ConfigError("kola's commands are not installed here", file=directory)
        for name in NAMES:
            target, original = directory / name, aside / name
            if os.path.lexists(target) and not _is_ours(target):
                continue
            if os.path.lexists(original):
                original.replace(target)
                restored.append(name)
            else:
                target.unlink(missing_ok=True)
        if aside.is_dir() and not any(aside.iterdir()):
            aside.rmdir()
    except OSError as error:
        raise _unwritable(directory, error) from error
    return restored


def _is_ours(path: Path) -> bool:
    return path.is_file() and not path.is_symlink() and _OURS in path.read_bytes()[:200]


def _require(directory: Path) -> None:
    if not directory.is_dir():
        raise ConfigError(
            "is not a directory",
            file=directory,
            hint="name nosa's directory of commands: kola nosa install DIR",
        )


def _unwritable(directory: Path, error: OSError) -> ConfigError:
    return ConfigError(
        f"the commands cannot be changed: {error.strerror}", file=directory, hint="run this as root"
    )

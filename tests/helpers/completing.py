"""Completion as a shell's script asks for it, and `kola` as a program that a shell can find."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

_AS_THE_SCRIPT_DOES = 'exec "$@" 8>&1 9>&2 1>/dev/null 2>&1 </dev/null'
_SEPARATOR = "\v"


def completed(
    line: str, *, cwd: Path | None = None, env: Mapping[str, str] | None = None, shell: str = "bash"
) -> subprocess.CompletedProcess[str]:
    """Complete a line at its end; words are in standard output."""
    return subprocess.run(
        ["sh", "-c", _AS_THE_SCRIPT_DOES, "sh", sys.executable, "-m", "kola.cli.main"],
        env={
            **(os.environ if env is None else env),
            "COMP_LINE": line,
            "COMP_POINT": str(len(line)),
            "COMP_TYPE": "9",
            "_ARGCOMPLETE": "1",
            "_ARGCOMPLETE_SHELL": shell,
            "_ARGCOMPLETE_SUPPRESS_SPACE": "1",
            "_ARGCOMPLETE_COMP_WORDBREAKS": " \t\n\"'><=;|&(:",
        },
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def words(line: str, *, cwd: Path | None = None, env: Mapping[str, str] | None = None) -> list[str]:
    """The words that complete a line; fails when anything else is written."""
    done = completed(line, cwd=cwd, env=env)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.split(_SEPARATOR) if done.stdout else []


def program(directory: Path) -> Path:
    """A `kola` in a directory for PATH."""
    directory.mkdir(exist_ok=True)
    file = directory / "kola"
    file.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m kola.cli.main "$@"\n')
    file.chmod(0o755)
    return directory

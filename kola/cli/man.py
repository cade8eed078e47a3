"""Show the man page of kola, or of one command. Not on a terminal, its source is printed.

It is made of the same data as `--help`, with every flag.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys

import kola

HELP = "show the man page, or print its source"
EXAMPLES = (
    "kola man run                            # every flag of kola run",
    "kola man > ~/.local/share/man/man1/kola.1",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("topic", metavar="COMMAND", nargs="?", help="only this command; all by default")


def run(args: argparse.Namespace) -> int:
    """Return the exit status of man, or 0."""
    text = source(args.topic)
    viewer = shutil.which("man")
    if sys.stdout.isatty() and viewer is not None:
        return subprocess.run(
            [viewer, "--local-file", "-"], input=text, encoding="utf-8", check=False
        ).returncode
    sys.stdout.write(text)
    return 0


def source(name: str | None = None) -> str:
    """Return the page of a command, or of all. Raises ConfigError for an unknown one."""
    from kola.cli import commands
    from kola.cli.manpage import Page

    summary = "VM tests for NestOS" if name is None else commands.load(name).HELP
    return Page(
        name="kola" if name is None else f"kola {name}",
        summary=summary,
        version=kola.__version__,
        commands={
            one: (commands.load(one).HELP, commands.parser(one, commands.load(one)).manuals())
            for one in (commands.names() if name is None else [name])
        },
    ).render()

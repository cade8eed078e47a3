"""Attach to the serial console of a kept machine. Ctrl-] leaves; the console is logged all the same."""

from __future__ import annotations

import argparse

from kola.cli.kept import add_name

HELP = "attach to the serial console of a kept machine"
EXAMPLES = (
    "kola console m1          # Ctrl-] leaves",
    "kola console m1 </dev/null | tee console.log",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_name(parser)


def run(args: argparse.Namespace) -> int:
    from kola.keep.enter import console
    from kola.keep.register import find

    console(find(args.name))
    return 0

"""Save what the display of a kept machine shows, as PNG. It must have been started with --display."""

from __future__ import annotations

import argparse
from pathlib import Path

from harness.errors import ConfigError
from kola.cli.kept import add_name
from kola.run.argtypes import path

HELP = "save what the display of a kept machine shows"
EXAMPLES = (
    "kola screenshot m1                 # writes m1.png here",
    "kola screenshot m1 -o /tmp/menu.png",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_name(parser)
    parser.add_argument("-o", "--output", type=path, metavar="FILE", help="where to; NAME.png by default")


def run(args: argparse.Namespace) -> int:
    from kola.keep.protocol import Order, Request, ask
    from kola.keep.register import find

    kept = find(args.name)
    target: Path = args.output or Path(f"{kept.name}.png").absolute()
    if target.is_dir():
        raise ConfigError("is a directory", file=target, hint="name the file with -o")
    if not target.parent.is_dir():
        raise ConfigError("there is no such directory", file=target.parent)
    ask(kept.control, Request(order=Order.SCREENSHOT, path=target))
    print(target)
    return 0

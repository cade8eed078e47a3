"""End kept machines. Nothing is left of them: no process, no port, no file."""

from __future__ import annotations

import argparse

from harness.errors import ConfigError
from harness.util.language import tr
from kola.run.parser import Switch

HELP = "end kept machines"
EXAMPLES = ("kola stop m1 m2", "kola stop --all")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--all", action=Switch, help="every machine that is kept")
    parser.add_argument("names", metavar="NAME", nargs="*", help="a machine as kola ps lists it, or `latest`")


def run(args: argparse.Namespace) -> int:
    from kola.keep.register import find, kept_machines
    from kola.keep.stop import stop

    if args.all == bool(args.names):
        raise ConfigError("name the machines to be stopped, or say --all", hint="kola ps lists them")
    for kept in kept_machines() if args.all else [find(name) for name in args.names]:
        stop(kept)
        print(tr("{name} has ended", name=kept.name))
    return 0

"""Install kola's commands into nosa, the assembler of NestOS, or remove them again."""

from __future__ import annotations

import argparse

from harness.util.language import tr
from kola.nosa.install import DIRECTORY, install, uninstall
from kola.run.argtypes import path

HELP = "put kola's commands into nosa, or remove them"
EXAMPLES = (
    "kola nosa install      # nosa kola, nosa kola-run, nosa run are kola's",
    "kola nosa uninstall    # nosa's own are back",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    for name, text in (("install", "put them there"), ("uninstall", "restore what was there before")):
        action = actions.add_parser(name, help=text, description=f"Commands of nosa: {text}.")
        action.add_argument(
            "directory",
            type=path,
            nargs="?",
            default=DIRECTORY,
            metavar="DIR",
            help=f"{DIRECTORY} by default",
        )


def run(args: argparse.Namespace) -> int:
    if args.action == "install":
        replaced = install(args.directory)
        names = ", ".join(replaced) or tr("nothing")
        print(tr("installed in {directory}; kept aside: {names}", directory=args.directory, names=names))
    else:
        restored = uninstall(args.directory)
        names = ", ".join(restored) or tr("nothing")
        print(tr("removed from {directory}; restored: {names}", directory=args.directory, names=names))
    return 0

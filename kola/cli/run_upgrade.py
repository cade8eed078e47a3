"""`kola run-upgrade`: the bank of upgrade tests, from an older build to the one under test."""

from __future__ import annotations

import argparse

from kola.cli import run as run_command
from kola.run.arguments import add_run_arguments
from kola.run.resolve import UPGRADE


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = subparsers.add_parser(
        "run-upgrade", help="test the upgrade from an older build", description=__doc__
    )
    add_run_arguments(parser)
    origin = parser.add_argument_group("where the upgrade starts (or --qemu-image FILE)")
    choice = origin.add_mutually_exclusive_group()
    choice.add_argument(
        "--find-parent",
        "--find-parent-image",
        action="store_true",
        help="the build before the one under test, in the build directory (the default)",
    )
    choice.add_argument("--parent", metavar="ID", help="this build, or -1, -2 … counted back")
    parser.set_defaults(func=run_command.run, bank=UPGRADE)

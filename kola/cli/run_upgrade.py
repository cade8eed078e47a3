"""Run the bank of upgrade tests: from an older build to the one under test."""

from __future__ import annotations

import argparse

from kola.run.arguments import add_command_arguments, add_parent_arguments
from kola.run.options import UPGRADE, RunOptions

HELP = "test the upgrade from an older build"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_command_arguments(parser)
    add_parent_arguments(parser)


def run(args: argparse.Namespace) -> int:
    from kola.cli.execute import run_tests  # which takes longer to import than `kola --help` takes

    return run_tests(RunOptions.of(args, command=UPGRADE))

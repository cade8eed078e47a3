"""Run again what failed or never ran in the last run, with the options of that run."""

from __future__ import annotations

import argparse
import shlex
import sys

from harness.util.language import tr
from kola.run.arguments import add_command_arguments
from kola.run.options import RunOptions

HELP = "run again what failed in the last run"
EXAMPLES = (
    "kola rerun                              # in the directory of the run",
    "kola rerun --output-dir out 'nestos.*'  # of the run in out, only these tests",
)
SHOWN = ("--output-dir", "--parallel", "--verbose", "--keep-on-failure", "--ssh-on-test-failure")
LIKE = "run"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_command_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Run the tests as `kola run` would; return 0 when there are none.

    A typed option replaces the earlier one.
    """
    from kola.cli.again import options_again  # which takes longer to import than `kola --help` takes
    from kola.cli.execute import run_tests

    again = options_again(RunOptions.of(args))
    if again is None:
        return 0
    options, kept = again
    if kept:
        print(tr("with the options of the last run: {options}", options=shlex.join(kept)), file=sys.stderr)
    return run_tests(options)

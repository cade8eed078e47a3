"""`kola rerun`: what failed in the last run, once more, with the options of that run."""

from __future__ import annotations

import argparse
import shlex
import sys

from kola.cli import run as run_command
from kola.cli.output import default_base
from kola.report.properties import read_options
from kola.report.rerun import as_pattern, failed_names, last_report
from kola.run.arguments import add_command_arguments
from kola.run.typed import NOT_AGAIN, recall, words
from kola.select.filters import unmultiplied
from kola.select.options import workdir


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = subparsers.add_parser("rerun", help="run again what failed in the last run", description=__doc__)
    add_command_arguments(parser)
    parser.set_defaults(func=run)


def run(args: argparse.Namespace) -> int:
    """As `kola run`, with the failed tests' names for patterns; 0 when nothing had failed.

    An option that is typed replaces that of the earlier run.
    """
    places = [args.output_dir] if args.output_dir else [default_base(workdir(args))]
    report = last_report(places)
    output = report.parent.parent
    earlier = read_options(output)
    names = failed_names(report)
    if not names:
        print(f"nothing failed in {output}")
        return 0
    kept = {name: value for name, value in earlier.items() if name not in NOT_AGAIN}
    recall(args, kept)
    if kept:
        print(f"with the options of the last run: {shlex.join(words(kept))}", file=sys.stderr)
    times = int(earlier.get("multiply", 1))
    tests = [unmultiplied(name.partition("[")[0], times) for name in names]
    args.granted = list(dict.fromkeys(tests))
    args.patterns = [as_pattern(name) for name in args.granted]
    return run_command.run(args)

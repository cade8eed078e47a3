"""`kola rerun`: what failed in the last run, once more."""

from __future__ import annotations

import argparse

from kola.cli import run as run_command
from kola.cli.output import default_base
from kola.report.rerun import as_pattern, failed_names, last_report
from kola.run.arguments import add_command_arguments
from kola.select.options import workdir


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = subparsers.add_parser("rerun", help="run again what failed in the last run", description=__doc__)
    add_command_arguments(parser)
    parser.set_defaults(func=run)


def run(args: argparse.Namespace) -> int:
    """As `kola run`, with the failed tests' names for patterns; 0 when nothing had failed."""
    places = [args.output_dir] if args.output_dir else [default_base(workdir(args))]
    report = last_report(places)
    names = failed_names(report)
    if not names:
        print(f"nothing failed in {report.parent.parent}")
        return 0
    args.patterns = [as_pattern(name.partition("[")[0]) for name in names]
    return run_command.run(args)

"""`kola ncpu`: how many CPUs there are to use."""

from __future__ import annotations

import argparse

from kola.schedule.host import cpus


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = subparsers.add_parser("ncpu", help="print the number of CPUs, capped by the cgroup")
    parser.set_defaults(func=run)


def run(args: argparse.Namespace) -> int:
    print(cpus())
    return 0

"""`kola version`."""

from __future__ import annotations

import argparse

import kola


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = subparsers.add_parser("version", help="print the version")
    parser.set_defaults(func=run)


def run(args: argparse.Namespace) -> int:
    print(f"kola version {kola.__version__}")
    return 0

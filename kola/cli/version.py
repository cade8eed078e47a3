"""Print kola's version."""

from __future__ import annotations

import argparse
import json
import platform
from importlib.metadata import version

import kola
from kola.run.parser import Switch

HELP = "print the version"
EXAMPLES = (
    "kola version",
    "kola version --json | jq -r .kola",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action=Switch, help="print JSON, with the versions of Python and pytest")


def run(args: argparse.Namespace) -> int:
    if args.json:
        versions = {
            "kola": kola.__version__,
            "python": platform.python_version(),
            "pytest": version("pytest"),
        }
        print(json.dumps(versions))
        return 0
    print(f"kola version {kola.__version__}")
    return 0

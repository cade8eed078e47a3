"""The `kola` command: one subcommand a module."""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from collections.abc import Sequence

import kola
from harness.errors import ConfigError, HarnessError

USAGE = 2
# Imported only when asked for: `kola list` must not pay for what `kola run` needs.
_COMMANDS = {
    "run": "kola.cli.run",
    "list": "kola.cli.list",
    "run-upgrade": "kola.cli.run_upgrade",
    "rerun": "kola.cli.rerun",
    "check-console": "kola.cli.check_console",
    "butane": "kola.cli.butane",
    "reference": "kola.cli.reference",
    "ncpu": "kola.cli.ncpu",
    "version": "kola.cli.version",
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run one subcommand; wrong input ends in exit code 2 and one message, never a traceback."""
    words = list(sys.argv[1:] if argv is None else argv)
    parser = argparse.ArgumentParser(prog="kola", description="VM tests for NestOS.")
    parser.add_argument("--version", action="version", version=f"kola {kola.__version__}")
    subparsers = parser.add_subparsers(metavar="COMMAND", required=True)
    asked = next((word for word in words if not word.startswith("-")), None)
    for name, module in _COMMANDS.items():
        if asked == name or asked not in _COMMANDS:
            importlib.import_module(module).add_parser(subparsers)
    args = parser.parse_args(words)
    try:
        return int(args.func(args))
    except ConfigError as error:
        print(f"kola: error: {error}", file=sys.stderr)
        return USAGE
    except HarnessError as error:
        print(f"kola: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("kola: interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


if __name__ == "__main__":
    sys.exit(main())

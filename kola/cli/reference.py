"""The reference OS: a small system to test tests with. `build` makes it unless the cache has it."""

from __future__ import annotations

import argparse
import sys
import time

from harness.errors import ConfigError
from harness.util.language import localized
from harness.util.paths import give_back_to_sudo_user, require_cache
from kola.run.argtypes import path
from kola.run.parser import Switch

HELP = "the reference OS, a small system to test tests with"
EXAMPLES = (
    'sudo env HOME="$HOME" kola reference build      # in your cache, not in root\'s',
    'sudo env HOME="$HOME" kola reference build --live --install-missing',
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    build = actions.add_parser(
        "build",
        help="build it unless the cache has it, and print its build directory",
        description="Print the build directory, in one line; progress goes to standard error.",
    )
    build.add_argument("--force", action=Switch, help="build even if the cache has it")
    build.add_argument("--output", type=path, metavar="DIR", help="build there instead of in the cache")
    build.add_argument("--arch", help="x86_64 or aarch64; the host's by default")
    build.add_argument("--live", action=Switch, help="with metal, live and OpenStack artifacts")
    build.add_argument(
        "--installer",
        type=path,
        metavar="FILE",
        help="a ready nestos-installer for --live, instead of building it",
    )
    build.add_argument("--install-missing", action=Switch, help="let apt install what this host lacks")


def run(args: argparse.Namespace) -> int:
    # These take longer to import than `kola --help` takes.
    from harness import reference
    from harness.reference import live

    if args.installer is not None and not args.live:
        raise ConfigError("--installer is for --live only", hint="add --live")
    if args.live and args.arch not in (None, "x86_64"):
        raise ConfigError(f"there are no live artifacts for {args.arch}", hint="leave --arch out")
    if args.output is None:
        require_cache()
    started = time.monotonic()

    def progress(line: str) -> None:
        print(f"[{time.monotonic() - started:4.0f} s] {localized(line)}", file=sys.stderr, flush=True)

    try:
        if args.live:
            built = live.ensure(
                output=args.output,
                force=args.force,
                progress=progress,
                install_missing=args.install_missing,
                program=args.installer,
            )
        else:
            built = reference.ensure(
                output=args.output,
                arch=args.arch,
                force=args.force,
                progress=progress,
                install_missing=args.install_missing,
            )
    finally:
        give_back_to_sudo_user()
    print(built)
    return 0

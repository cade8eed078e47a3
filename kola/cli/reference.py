"""`kola reference build`: make the reference OS, or say where it is."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from harness import reference

if TYPE_CHECKING:
    Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]


def add_parser(subparsers: Subparsers) -> None:
    """Register `reference` and its one action, `build`."""
    parser = subparsers.add_parser("reference", help="the reference OS, a small system to test tests with")
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    build = actions.add_parser("build", help="build it unless the cache has it, and print where it is")
    build.add_argument("--force", action="store_true", help="build even if the cache has it")
    build.add_argument("--output", type=Path, metavar="DIR", help="build there instead of in the cache")
    build.add_argument("--arch", help="x86_64 or aarch64; the host's by default")
    build.add_argument("--install-missing", action="store_true", help="let apt install what this host lacks")
    build.set_defaults(func=_build)


def _build(arguments: argparse.Namespace) -> int:
    cached = reference.is_cached(output=arguments.output, arch=arguments.arch) and not arguments.force
    started = time.monotonic()

    def progress(line: str) -> None:
        print(f"[{time.monotonic() - started:4.0f} s] {line}", file=sys.stderr, flush=True)

    path = reference.ensure(
        output=arguments.output,
        arch=arguments.arch,
        force=arguments.force,
        progress=progress,
        install_missing=arguments.install_missing,
    )
    print(f"reference OS: {path}{' (cached)' if cached else ''}")
    return 0

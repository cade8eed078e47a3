"""`kola check-console`: look for signs of trouble in console logs."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import BinaryIO

from harness.machine.badness import Hit, Scanner

_CHUNK = 1 << 18
_EVERY_HIT = 10_000
STDIN = "-"


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = subparsers.add_parser(
        "check-console", help="look for kernel and service crashes in console logs"
    )
    parser.add_argument(
        "files", metavar="FILE", nargs="*", help="console logs; standard input where none is given"
    )
    parser.set_defaults(func=run_check_console)


def run_check_console(args: argparse.Namespace) -> int:
    """0 for clean logs, 1 where there was any hit, 2 where a file could not be read."""
    status = 0
    for name in args.files or [STDIN]:
        try:
            if name == STDIN:
                hits = check(sys.stdin.buffer, name="<stdin>")
            else:
                with Path(name).open("rb") as stream:
                    hits = check(stream, name=name)
        except OSError as error:
            print(f"{name}: cannot be read: {error.strerror}", file=sys.stderr)
            status = 2
            continue
        if hits and status == 0:
            status = 1
    return status


def check(stream: BinaryIO, *, name: str) -> int:
    """Print each hit as `file:line: name: text`, and return how many there were."""
    scanner = Scanner(limit=_EVERY_HIT)
    count = 0
    while chunk := stream.read(_CHUNK):
        count += _report(scanner.feed(chunk), name)
    return count + _report(scanner.close(), name)


def _report(hits: list[Hit], name: str) -> int:
    for hit in hits:
        kind = "" if hit.fatal else " (a warning)"
        print(f"{name}:{hit.line}: {hit.pattern.name}{kind}: {hit.text}")
    return len(hits)

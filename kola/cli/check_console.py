"""Look for signs of trouble in console logs."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO

from harness.errors import ConfigError
from harness.machine.badness import Hit, Scanner
from harness.util.language import localized, tr
from harness.util.userfile import open_user_file

_CHUNK = 1 << 18
_EVERY_HIT = 10_000
STDIN = "-"
LOG_NAME = "console.txt"
HELP = "look for kernel and service crashes in console logs"
EXAMPLES = (
    "kola check-console _kola_temp           # every console.txt of all runs there",
    "journalctl -b | kola check-console",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "files",
        metavar="FILE",
        nargs="*",
        help="console logs, or directories with console.txt; standard input if none",
    )


def run(args: argparse.Namespace) -> int:
    """Return 0 for clean logs, 1 after any hit, 2 when a file could not be read."""
    status = 0
    for name in _files(args.files) or [STDIN]:
        try:
            if name == STDIN:
                hits = check(sys.stdin.buffer, name="<stdin>")
            else:
                with open_user_file(Path(name)) as stream:
                    hits = check(stream, name=name)
        except ConfigError as error:
            print(error.described(tr("hint"), say=localized), file=sys.stderr)
            status = 2
            continue
        if hits and status == 0:
            status = 1
    return status


def _files(names: Iterable[str]) -> list[str]:
    """Return the names, each directory replaced by the console logs below it.

    Raises ConfigError for a directory without any.
    """
    found: list[str] = []
    for name in names:
        if not Path(name).is_dir():
            found.append(name)
            continue
        inside = sorted(str(log) for log in Path(name).rglob(LOG_NAME) if log.is_file())
        if not inside:
            raise ConfigError(f"holds no {LOG_NAME}", file=name)
        found += inside
    return found


def check(stream: BinaryIO, *, name: str) -> int:
    """Print each hit as `file:line: name: text`, and return the number of hits."""
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

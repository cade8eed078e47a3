"""`kola list`: what tests there are."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Collection, Iterable
from pathlib import Path

from kola.cli.table import aligned
from kola.external import discover
from kola.model import Selector, TestInfo
from kola.select.catalog import find_tests, own_root
from kola.select.filters import apply, require_matches
from kola.select.options import add_filter_arguments, listing_from, roots_from
from kola.select.selection import Stage

# What kola's own table and JSON write out where a test names none, or all but some.
PLATFORMS = ("aws", "azure", "do", "esx", "gcp", "openstack", "qemu", "qemu-iso")
ARCHITECTURES = ("aarch64", "x86_64")
DISTROS = ("fcos", "nestos", "rhcos", "scos")

_HEADER = ("Test Name", "Platforms", "Architectures", "Distributions", "Tags")


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = subparsers.add_parser("list", help="list the tests")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument(
        "--promises",
        action="store_true",
        help="list what the user guide promises, the tests that prove it, and their last verdicts",
    )
    parser.add_argument(
        "--output-dir",
        type=Path,
        metavar="DIR",
        help="with --promises: the run whose verdicts are shown (by default, the last on each test)",
    )
    add_filter_arguments(parser)
    parser.set_defaults(func=run_list)


def run_list(args: argparse.Namespace) -> int:
    """Print the tests that the arguments leave; what cannot be offered is said on stderr, and no failure."""
    catalog = find_tests(own_root())
    if args.promises:
        from kola.cli.promises import list_promises  # which takes longer to import than listing takes

        return list_promises(args, catalog)
    external = discover(roots_from(args))
    tests = [*catalog.tests, *(test.info for test in external.tests)]
    options = listing_from(args)
    require_matches([*tests, *(test.info for test in external.broken)], options.patterns)
    skip = () if options.wanted_tags else (Stage.REQUIRED_TAG,)
    listed, _ = apply(sorted(tests, key=lambda test: test.name), options, skip=skip)
    print(as_json(listed) if args.json else as_table(listed))
    for warning in external.warnings:
        print(f"warning: {warning}", file=sys.stderr)
    for error in catalog.errors:
        print(f"broken: {error}", file=sys.stderr)
    for test in external.broken:
        print(f"broken: {test.name}: {test.error}", file=sys.stderr)
    return 0


def as_json(tests: Iterable[TestInfo]) -> str:
    """kola's JSON: every list written out, even where it means all."""
    rows = [
        {
            "Name": test.name,
            "Platforms": _spelled(test.platforms, PLATFORMS),
            "Architectures": _spelled(test.architectures, ARCHITECTURES),
            "Distros": _spelled(test.distros, DISTROS),
            "Tags": _tags(test),
            "Description": test.description,
        }
        for test in tests
    ]
    return json.dumps(rows, indent="\t", ensure_ascii=False)


def as_table(tests: Iterable[TestInfo]) -> str:
    """kola's table: columns set off by tabs, lists in brackets."""
    rows = [
        (
            test.name,
            _bracketed(_spelled(test.platforms, PLATFORMS) if test.platforms.words else ["all"]),
            _bracketed(_spelled(test.architectures, ARCHITECTURES) if test.architectures.words else ["all"]),
            _bracketed(_spelled(test.distros, DISTROS) if test.distros.words else ["all"]),
            _bracketed(_tags(test)),
        )
        for test in tests
    ]
    return aligned([_HEADER, ("",) * len(_HEADER), *rows])


def _spelled(selector: Selector, everything: Collection[str]) -> list[str]:
    if selector.words and not selector.exclude:
        return list(selector.words)
    return [word for word in everything if selector.allows(word)]


def _tags(test: TestInfo) -> list[str]:
    return sorted(test.tags, key=lambda tag: (tag != "external", tag))


def _bracketed(words: Iterable[str]) -> str:
    return f"[{' '.join(words)}]"

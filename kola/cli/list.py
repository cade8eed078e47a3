"""List the tests there are, as a table or as JSON."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Collection, Iterable
from pathlib import Path

from harness.errors import ConfigError
from harness.util.language import localized, tr
from harness.util.quote import quote
from harness.util.suggest import did_you_mean
from kola.cases import model
from kola.cases.catalog import find_tests, own_root
from kola.cases.external import discover
from kola.cases.model import Selector, TestInfo
from kola.cli.streams import write_utf8
from kola.cli.table import aligned
from kola.run.argtypes import path
from kola.run.arguments import add_filter_arguments
from kola.run.options import SelectionOptions, SubjectOptions
from kola.run.parser import Switch
from kola.run.selection import listing_from, roots_from
from kola.select.filters import apply, require_matches
from kola.select.selection import Stage

HELP = "list the tests"
EXAMPLES = (
    "kola list --tag smoke                   # the table; --json for programs",
    "kola list --promises                    # what the user guide promises",
)

# Listed for a test that names none, or that excludes some.
PLATFORMS = ("aws", "azure", "do", "esx", "gcp", "openstack", "qemu", "qemu-iso")
ARCHITECTURES = ("aarch64", "x86_64")
DISTROS = ("fcos", "nestos", "rhcos", "scos")

_HEADER = ("Test Name", "Platforms", "Architectures", "Distributions", "Tags")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_filter_arguments(parser)
    output = parser.add_argument_group("the list")
    output.add_argument("--json", action=Switch, help="print JSON")
    output.add_argument("--promises", action=Switch, help="the user guide's promises, and their verdicts")
    output.add_argument(
        "--output-dir", type=path, metavar="DIR", help="with --promises: verdicts of this run only"
    )


def run(args: argparse.Namespace) -> int:
    """Print the selected tests.

    A broken test is reported on standard error and does not change the status. Raises ConfigError.
    """
    selection, subject = SelectionOptions.of(args), SubjectOptions.of(args)
    _check(selection, subject)
    if args.output_dir is not None and not args.promises:
        raise ConfigError("--output-dir is about --promises", hint="add --promises, or leave it out")
    catalog = find_tests(own_root())
    if args.promises:
        from kola.cli.promises import list_promises  # which takes longer to import than listing takes

        return list_promises(
            catalog, selection, directory=subject.directory, output=args.output_dir, as_data=args.json
        )
    external = discover(roots_from(selection, subject))
    tests = [*catalog.tests, *(test.info for test in external.tests)]
    wanted = listing_from(selection, subject)
    require_matches([*tests, *(test.info for test in external.broken)], wanted.patterns)
    skip = () if wanted.wanted_tags else (Stage.REQUIRED_TAG,)
    listed, _ = apply(sorted(tests, key=lambda test: test.name), wanted, skip=skip)
    if args.json:
        write_utf8(f"{as_json(listed)}\n")
    else:
        print(as_table(listed))
    for warning in external.warnings:
        print(tr("warning: {text}", text=localized(str(warning))), file=sys.stderr)
    for error in catalog.errors:
        print(_broken(error), file=sys.stderr)
    for test in external.broken:
        print(_broken(test.error, f"{test.name}: "), file=sys.stderr)
    return 0


def _broken(error: ConfigError, name: str = "") -> str:
    return tr("broken: {text}", text=f"{name}{error.described(tr('hint'), say=localized)}")


def _check(selection: SelectionOptions, subject: SubjectOptions) -> None:
    """Raise ConfigError for a platform, an architecture or a directory that does not exist.

    Names of distributions are not checked: tests name some that have no profile.
    """
    for what, word, known in (
        ("platform", selection.platform, {*model.PLATFORMS, "all"}),
        ("architecture", subject.arch, model.ARCHITECTURES),
    ):
        if word is not None and word not in known:
            raise ConfigError(f"unknown {what} {quote(word)}", hint=did_you_mean(word, known))
    if isinstance(subject.workdir, Path) and not subject.workdir.is_dir():
        raise ConfigError("there is no such directory", file=subject.workdir)


def as_json(tests: Iterable[TestInfo]) -> str:
    """Return kola's JSON: every list written out, even when it means all."""
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
    """Return kola's table: columns separated by tabs, lists in brackets."""
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

"""Boot the live ISO and the PXE files of a build, and install from them in every documented way.

The scenarios are tests like any other: `kola run 'iso-*'` runs them, too. Without a pattern all of them run,
with --smoke those that take minutes.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace

from harness.errors import ConfigError
from harness.util.language import tr
from kola.run.arguments import add_command_arguments
from kola.run.options import RunOptions
from kola.run.parser import Switch

HELP = "boot and install from the live media of a build"
EXAMPLES = (
    "kola testiso --workdir /srv/nestos --smoke",
    "kola testiso --qemu-iso nestos-live.iso 'iso-install.*'",
)
SHOWN = ("--smoke", "--workdir", "--build", "--qemu-iso", "--parallel", "--output-dir")
LIKE = "run"

TAG = "iso"
SMOKE_TAG = "iso-smoke"
UPSTREAM_PREFIX = "iso."
"""The prefix of these names in upstream's kola, which NestOS's kola lacks."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_command_arguments(parser)
    live = parser.add_argument_group("scenarios")
    live.add_argument("--smoke", action=Switch, help="only those that take minutes")


def run(args: argparse.Namespace) -> int:
    """Return the exit status of `kola run`."""
    from kola.cli.execute import run_tests  # which takes longer to import than `kola --help` takes

    return run_tests(with_media(scenarios(RunOptions.of(args), smoke=args.smoke)))


def with_media(options: RunOptions) -> RunOptions:
    """The options with the reference OS for a build, where none is named and none is here.

    Raises ConfigError when its live artifacts have not been built.
    """
    subject = options.subject
    if subject.directory is not None or subject.qemu_iso is not None:
        return options
    from harness.reference import live
    from kola.run.subject import architecture

    if architecture(subject) != "x86_64" or not live.is_cached():
        raise ConfigError(
            "there is no build directory here, and no reference OS with live media in the cache",
            hint="name a build with --workdir DIR or an ISO with --qemu-iso FILE,\n"
            "or build the reference OS: kola reference build --live",
        )
    found = live.location()
    print(tr("no build directory here: testing the reference OS in {path}", path=found), file=sys.stderr)
    return replace(options, subject=replace(subject, workdir=found))


def scenarios(options: RunOptions, *, smoke: bool) -> RunOptions:
    """Return the options with the scenarios selected. Raises ConfigError for --smoke with patterns."""
    selection = options.selection
    if selection.patterns and smoke:
        raise ConfigError("--smoke is a selection of its own", hint="leave out --smoke, or the patterns")
    patterns = tuple(own_name(pattern) for pattern in selection.patterns)
    tags = selection.tag if patterns else (*selection.tag, SMOKE_TAG if smoke else TAG)
    denied = tuple(own_name(pattern) for pattern in selection.denylist_test)
    chosen = replace(selection, patterns=patterns, tag=tags, denylist_test=denied)
    return replace(options, selection=chosen)


def own_name(pattern: str) -> str:
    """Convert a pattern for upstream's names (`iso.live-login.*`, `iso.pxe-…`) to one for NestOS's names."""
    if not pattern.startswith(UPSTREAM_PREFIX):
        return pattern
    rest = pattern.removeprefix(UPSTREAM_PREFIX)
    return f"iso-{rest}" if rest.startswith("live-login") else rest

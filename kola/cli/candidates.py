"""Words that complete arguments: tests, tags, builds and kept machines.

Sources that cannot be read complete nothing.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from harness.errors import HarnessError
from harness.util.language import localized
from kola.cases.catalog import find_tests, own_root
from kola.run.options import UPGRADE, SelectionOptions, SubjectOptions
from kola.run.selection import UPGRADE_BANK, roots_from

if TYPE_CHECKING:
    from kola.cases.model import TestInfo

Words = Mapping[str, str]
"""Words, each with a text that zsh and fish show beside it."""

_LISTED = ","
_WITHOUT = "!"
_ISO_TAG = "iso"


@dataclass(frozen=True)
class Completer:
    """A source of words, called as argcomplete calls it. With `listed`, they stand in a list with commas."""

    words: Callable[[argparse.ArgumentParser, argparse.Namespace], Words]
    listed: bool = False

    def __call__(
        self,
        *,
        prefix: str,
        action: argparse.Action,
        parser: argparse.ArgumentParser,
        parsed_args: argparse.Namespace,
    ) -> Words:
        try:
            found = self.words(parser, parsed_args)
        except (HarnessError, OSError):
            return {}
        found = {word: localized(text) for word, text in found.items()}
        if not self.listed:
            return found
        before, comma, last = prefix.rpartition(_LISTED)
        start = before + comma + (_WITHOUT if last.startswith(_WITHOUT) else "")
        return {start + word: text for word, text in found.items()}


def tests(parser: argparse.ArgumentParser, args: argparse.Namespace) -> Words:
    """Return the names of the tests that the command can run."""
    upgrading = parser.prog.endswith(f" {UPGRADE}")
    iso = parser.prog.endswith(" testiso")
    return {
        test.name: test.description
        for test in _all_tests(args)
        if (test.required_tag == UPGRADE_BANK) == upgrading and (not iso or _ISO_TAG in test.tags)
    }


def tags(parser: argparse.ArgumentParser, args: argparse.Namespace) -> Words:
    """Return the tags of all tests."""
    return dict.fromkeys(sorted({tag for test in _all_tests(args) for tag in test.tags}), "")


def builds(parser: argparse.ArgumentParser, args: argparse.Namespace) -> Words:
    """Return `latest` and the ids of the builds in the build directory, newest first."""
    from harness.artifact.build import LATEST, BuildRoot

    directory = SubjectOptions.of(args).directory
    ids = BuildRoot(directory).ids() if directory is not None else ()
    return dict.fromkeys((LATEST, *ids), "") if ids else {}


def command_names(parser: argparse.ArgumentParser, args: argparse.Namespace) -> Words:
    """Return kola's commands."""
    from kola.cli.commands import names

    return dict.fromkeys(names(), "")


def machines(parser: argparse.ArgumentParser, args: argparse.Namespace) -> Words:
    """Return the names of the kept machines."""
    from kola.keep.register import LATEST, kept_machines

    kept = {machine.name: machine.build for machine in kept_machines()}
    return {**kept, LATEST: "the youngest machine"} if kept else {}


def paths_in_machines(parser: argparse.ArgumentParser, args: argparse.Namespace) -> Words:
    """Return the beginnings of paths in kept machines, `NAME:`."""
    return {f"{name}:": text for name, text in machines(parser, args).items()}


def distros(parser: argparse.ArgumentParser, args: argparse.Namespace) -> Words:
    """Return the names of the distributions that kola knows."""
    from harness.artifact.distro import DISTROS

    return {distro.name: "" for distro in DISTROS}


def firmwares(parser: argparse.ArgumentParser, args: argparse.Namespace) -> Words:
    """Return the kinds of firmware."""
    from harness.machine.spec import Firmware

    return dict.fromkeys(map(str, Firmware), "")


def platforms(parser: argparse.ArgumentParser, args: argparse.Namespace) -> Words:
    """Return the names of the platforms."""
    from harness.platform.choose import NAMES

    return dict.fromkeys(NAMES, "")


def libvirt_daemons(parser: argparse.ArgumentParser, args: argparse.Namespace) -> Words:
    """Return libvirt's own addresses of its daemons on this host."""
    return {"qemu:///system": "the daemon of the host", "qemu:///session": "the daemon of this user"}


def architectures(parser: argparse.ArgumentParser, args: argparse.Namespace) -> Words:
    """Return the architectures that machines can have."""
    return dict.fromkeys(("x86_64", "aarch64"), "")


def categories(parser: argparse.ArgumentParser, args: argparse.Namespace) -> Words:
    """Return the categories of the facts that the line names; of the latest build's if it names none."""
    from kola.cli.facts import load

    return dict.fromkeys(sorted(load(args.facts or "latest", args.workdir or Path()).categories), "")


def rerun_tags(parser: argparse.ArgumentParser, args: argparse.Namespace) -> Words:
    """Return the values of --allow-rerun-success with one tag."""
    return {f"tags={tag}": text for tag, text in tags(parser, args).items()}


BY_DESTINATION = {
    "patterns": Completer(tests),
    "denylist_test": Completer(tests, listed=True),
    "tag": Completer(tags, listed=True),
    "build": Completer(builds),
    "parent": Completer(builds),
    "facts": Completer(builds),
    "before": Completer(builds),
    "after": Completer(builds),
    "platform": Completer(platforms),
    "libvirt_uri": Completer(libvirt_daemons),
    "arch": Completer(architectures),
    "category": Completer(categories),
    "allow_rerun_success": Completer(rerun_tags),
    "distro": Completer(distros),
    "also_distro": Completer(distros, listed=True),
    "topic": Completer(command_names),
    "name": Completer(machines),
    "names": Completer(machines),
    "paths": Completer(paths_in_machines),
    "qemu_firmware": Completer(firmwares),
}
"""The completers of kola's own arguments, by the names of their values."""

WITH_FILES = frozenset({"facts", "before", "after", "paths"})
"""Those arguments that may be files, too."""


def _all_tests(args: argparse.Namespace) -> list[TestInfo]:
    own = find_tests(own_root()).tests
    try:
        from kola.cases.external import discover

        roots = roots_from(SelectionOptions.of(args), SubjectOptions.of(args))
        return [*own, *(test.info for test in discover(roots).tests)] if roots else [*own]
    except (HarnessError, OSError):
        return [*own]

"""Conversion of options to a selection of tests."""

from __future__ import annotations

import platform
from collections.abc import Iterable, Mapping
from pathlib import Path

from kola.cases.external import Root, find_roots
from kola.run.options import UPGRADE, SelectionOptions, SubjectOptions
from kola.select.manifest import Variables, read_variables
from kola.select.selection import Selection

UPGRADE_BANK = "upgrade"
"""The required tag of tests whose machines start from an older build."""

DENYLIST = Path("src/config/kola-denylist.yaml")
DEFAULT_PLATFORM = "qemu"
DEFAULT_DISTRO = "nestos"


def selection_from(
    options: SelectionOptions,
    subject: SubjectOptions,
    *,
    command: str = "run",
    distro: str | None = None,
    absent: Mapping[str, str] | None = None,
    stream: str | None = None,
    firmware: str | None = None,
    durations: Mapping[str, float] | None = None,
) -> Selection:
    """Return the selection of a run. The keywords are defaults for options that were not typed.

    If they name no stream, the manifest of the build directory may. It also gives the OS version.
    """
    directory = subject.directory
    variables = read_variables(directory) if directory else Variables()
    return Selection(
        patterns=options.patterns,
        tags=_split(options.tag),
        bank=UPGRADE_BANK if command == UPGRADE else None,
        granted=frozenset(options.granted),
        platform=options.platform or DEFAULT_PLATFORM,
        architecture=subject.arch or platform.machine(),
        distro=distro or subject.distro or DEFAULT_DISTRO,
        also_distros=_split(options.also_distro),
        absent=absent or {},
        firmware=firmware,
        no_net=options.no_net,
        run_platform_independent=options.run_platform_independent,
        denylist=directory / DENYLIST if directory else None,
        denylist_tests=_split(options.denylist_test),
        stream=options.denylist_stream or stream or variables.stream,
        osversion=variables.osversion,
        multiply=options.multiply,
        sharding=options.sharding,
        durations=durations or {},
    )


def listing_from(options: SelectionOptions, subject: SubjectOptions) -> Selection:
    """Return the selection of `kola list`: only typed options filter."""
    return Selection(
        patterns=options.patterns,
        tags=_split(options.tag),
        platform=None if options.platform == "all" else options.platform,
        architecture=subject.arch,
        distro=None if subject.distro == "all" else subject.distro,
        also_distros=_split(options.also_distro),
        no_net=options.no_net,
        run_platform_independent=True,
    )


def roots_from(options: SelectionOptions, subject: SubjectOptions) -> tuple[Root, ...]:
    """Return the trees of external tests that the options name."""
    return find_roots(options.exttest, workdir=subject.directory)


def _split(values: Iterable[str]) -> tuple[str, ...]:
    """Split at commas: kola treats `--tag a --tag b` and `--tag a,b` alike."""
    return tuple(word for value in values for word in value.split(",") if word)

"""The command line's words for a selection."""

from __future__ import annotations

import argparse
import platform
from collections.abc import Mapping
from pathlib import Path

from kola.external import Root, find_roots
from kola.select.manifest import Variables, read_variables
from kola.select.selection import Selection

DENYLIST = Path("src/config/kola-denylist.yaml")
ALIASES = {"iso": "qemu-iso"}
DEFAULT_PLATFORM = "qemu"
DEFAULT_DISTRO = "nestos"


def add_filter_arguments(parser: argparse.ArgumentParser) -> None:
    """What `kola list` and `kola run` both understand."""
    parser.add_argument(
        "patterns",
        metavar="PATTERN",
        nargs="*",
        help="names of tests; `*`, `?` and `[a-z]` stand for more than themselves",
    )
    parser.add_argument("-p", "--platform", type=_platform, help="qemu, qemu-iso (or iso)")
    parser.add_argument("-b", "--distro", help="the distribution under test")
    parser.add_argument(
        "--also-distro",
        action="append",
        default=[],
        metavar="DISTRO",
        help="offer tests for this distribution too (repeatable)",
    )
    parser.add_argument("--arch", help="the architecture of the build")
    parser.add_argument(
        "--tag",
        action="append",
        default=[],
        metavar="TAG",
        help="only tests with this tag, or with `!TAG` none with it (repeatable)",
    )
    parser.add_argument("--no-net", action="store_true", help="leave out what needs the Internet")
    parser.add_argument(
        "-E",
        "--exttest",
        action="append",
        default=[],
        type=Path,
        metavar="DIR",
        help="add the external tests in DIR/tests/kola (repeatable; the current directory if never given)",
    )
    parser.add_argument(
        "--workdir",
        metavar="DIR",
        help="the build directory (the current one if it is one; `none` for none)",
    )


def add_selection_arguments(parser: argparse.ArgumentParser) -> None:
    """Everything that decides which tests a run consists of."""
    add_filter_arguments(parser)
    parser.add_argument(
        "--denylist-test",
        action="append",
        default=[],
        metavar="PATTERN",
        help="leave these tests out (repeatable)",
    )
    parser.add_argument(
        "--denylist-stream",
        metavar="STREAM",
        help="the stream whose entries of kola-denylist.yaml apply",
    )
    parser.add_argument(
        "--run-platform-independent",
        action="store_true",
        help="run platform-independent tests on this platform, too",
    )
    parser.add_argument(
        "--sharding",
        metavar="hash:M/N|time:M/N",
        help="run share M of N, dealt by name or by recorded durations",
    )
    parser.add_argument("--multiply", type=_count, default=1, metavar="N", help="run every test N times")
    parser.set_defaults(bank=None, granted=())  # a command that has tests of its own says which


def selection_from(
    args: argparse.Namespace,
    *,
    distro: str | None = None,
    architecture: str | None = None,
    stream: str | None = None,
    osversion: str | None = None,
    firmware: str | None = None,
    durations: Mapping[str, float] | None = None,
) -> Selection:
    """What was typed after `add_selection_arguments`; the keywords stand in for what was not.

    Where they know neither stream nor OS version, the manifest of the build directory may.
    """
    directory = workdir(args)
    variables = read_variables(directory) if directory else Variables()
    return Selection(
        patterns=tuple(args.patterns),
        tags=_split(args.tag),
        bank=args.bank,
        granted=frozenset(args.granted),
        platform=args.platform or DEFAULT_PLATFORM,
        architecture=args.arch or architecture or platform.machine(),
        distro=args.distro or distro or DEFAULT_DISTRO,
        also_distros=_split(args.also_distro),
        firmware=firmware,
        no_net=args.no_net,
        run_platform_independent=args.run_platform_independent,
        denylist=directory / DENYLIST if directory else None,
        denylist_tests=_split(args.denylist_test),
        stream=args.denylist_stream or stream or variables.stream,
        osversion=osversion or variables.osversion,
        multiply=args.multiply,
        sharding=args.sharding,
        durations=durations or {},
    )


def listing_from(args: argparse.Namespace) -> Selection:
    """What was typed after `add_filter_arguments`: what was not asked for filters nothing."""
    return Selection(
        patterns=tuple(args.patterns),
        tags=_split(args.tag),
        platform=None if args.platform == "all" else args.platform,
        architecture=args.arch,
        distro=None if args.distro == "all" else args.distro,
        also_distros=_split(args.also_distro),
        no_net=args.no_net,
        run_platform_independent=True,
    )


def roots_from(args: argparse.Namespace) -> tuple[Root, ...]:
    """The trees of external tests that the command line names."""
    return find_roots(args.exttest, workdir=workdir(args))


def workdir(args: argparse.Namespace) -> Path | None:
    """The build directory: as typed, or the current one where it looks like one; None for `none`."""
    if args.workdir is not None:
        return None if args.workdir == "none" else Path(args.workdir)
    here = Path.cwd()
    return here if (here / "src/config").is_dir() or (here / "builds/builds.json").is_file() else None


def _platform(text: str) -> str:
    return ALIASES.get(text, text)


def _count(text: str) -> int:
    count = int(text) if text.isdecimal() else 0
    if count < 1:
        raise argparse.ArgumentTypeError(f"expected a number above zero, not {text!r}")
    return count


def _split(values: list[str]) -> tuple[str, ...]:
    """kola takes `--tag a --tag b` and `--tag a,b` alike."""
    return tuple(word for value in values for word in value.split(",") if word)

"""Copy files to and from kept machines. A path in a machine is written NAME:PATH."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from harness.errors import ConfigError
from harness.util.process import require
from kola.run.parser import Switch

if TYPE_CHECKING:
    from kola.keep.record import Kept

HELP = "copy files to and from a kept machine"
EXAMPLES = (
    "kola scp report.sh m1:/var/tmp/",
    "kola scp -r m1:/var/log/journal .",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("-r", "--recursive", action=Switch, help="copy directories, too")
    parser.add_argument("-p", "--preserve", action=Switch, help="keep times and modes")
    parser.add_argument("paths", metavar="PATH", nargs="+", help="what is copied, and where to, at the end")


def run(args: argparse.Namespace) -> int:
    """Return the exit status of scp."""
    from kola.keep.enter import become, ssh_options

    require("scp", package="openssh-client")
    if len(args.paths) < 2:
        raise ConfigError("say what is to be copied, and where to", hint="kola scp FILE m1:/var/tmp/")
    machines: dict[str, Kept] = {}
    words = [_word(path, machines) for path in args.paths]
    if len(machines) != 1:
        raise ConfigError(
            "one machine takes part in a copy, on one side", hint="write a path in it as NAME:PATH"
        )
    (kept,) = machines.values()
    flags = ["-r"] * args.recursive + ["-p"] * args.preserve
    become(["scp", *ssh_options(kept), *flags, "--", *words])


def _word(path: str, machines: dict[str, Kept]) -> str:
    """Return an argument for scp. A slash before any colon marks a path of this host."""
    name, colon, rest = path.partition(":")
    if not colon or "/" in name or not name:
        return path if "/" in name or not path.startswith("-") else f"./{path}"
    from kola.keep.enter import ssh_entry
    from kola.keep.register import find

    kept = machines.get(name) or find(name)
    machines[name] = kept
    entry = ssh_entry(kept)
    return f"{entry.user}@{entry.address}:{rest}"

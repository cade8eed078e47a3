"""Show what each platform offers on this host, what is missing, and how to get it."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING

from harness.util.language import localized, tr
from kola.run.argtypes import path
from kola.run.parser import Switch

if TYPE_CHECKING:
    from kola.cli.offers import Answer

HELP = "show the platforms of this host, and what they lack"
EXAMPLES = (
    "kola platforms",
    "kola platforms --hosts pool.toml     # all hosts of a pool",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--libvirt-uri",
        action="append",
        default=[],
        metavar="URI",
        help="the libvirt daemon to ask (repeatable)",
    )
    parser.add_argument("--hosts", type=path, metavar="FILE", help="ask the libvirt daemons in this file")
    parser.add_argument("--json", action=Switch, help="print JSON")


def run(args: argparse.Namespace) -> int:
    """Print all platforms. Returns 0 also when none is ready: this is a question, not a test."""
    # These take longer to import than `kola --help` takes.
    from harness.platform.choose import LIBVIRT
    from kola.cli.offers import ask_all
    from kola.run.options import MachineOptions
    from kola.run.resolve import hosts_of

    answers = ask_all(hosts_of(MachineOptions.of(args), LIBVIRT))
    if args.json:
        print(json.dumps([asdict(answer) for answer in answers]))
    else:
        print("\n\n".join("\n".join(_lines(answer)) for answer in answers))
    return 0


def _lines(answer: Answer) -> Iterator[str]:
    where = f" on {answer.host}" if answer.host else ""
    yield f"{answer.name}{where}: {tr('ready') if answer.ready else tr('not ready')}"
    if answer.ready:
        if answer.room:
            yield "  " + tr("room: {room}", room=localized(answer.room))
        yield "  " + tr("accelerator: {name}", name=localized(answer.accelerator))
        yield "  " + tr("offers: {features}", features=", ".join(map(localized, answer.offers)))
    for feature, reason in answer.refuses.items():
        yield "  " + tr("refuses {feature}: {reason}", feature=localized(feature), reason=localized(reason))
    for one in answer.missing:
        lacking = tr("missing: {name}") if one.essential else tr("missing: {name} (optional)")
        yield "  " + lacking.format(name=localized(one.name))
        yield f"    {localized(one.hint)}"
    if answer.error:
        yield f"  {localized(answer.error)}"

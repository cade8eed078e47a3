"""Show what each platform offers on this host, what is missing, and how to get it."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING

from harness.util.language import localized, tr
from kola.run.parser import Switch

if TYPE_CHECKING:
    from kola.cli.offers import Answer

HELP = "show the platforms of this host, and what they lack"
EXAMPLES = (
    "kola platforms",
    "kola platforms --libvirt-uri qemu:///session     # ask another daemon",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--libvirt-uri", default="", metavar="URI", help="the libvirt daemon to ask")
    parser.add_argument("--json", action=Switch, help="print JSON")


def run(args: argparse.Namespace) -> int:
    """Print all platforms. Returns 0 also when none is ready: this is a question, not a test."""
    from kola.cli.offers import ask_all  # which takes longer to import than `kola --help` takes

    answers = ask_all(args.libvirt_uri)
    if args.json:
        print(json.dumps([asdict(answer) for answer in answers]))
    else:
        print("\n\n".join("\n".join(_lines(answer)) for answer in answers))
    return 0


def _lines(answer: Answer) -> Iterator[str]:
    yield f"{answer.name}: {tr('ready') if answer.ready else tr('not ready')}"
    if answer.ready:
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

"""Show what each platform offers on this host, what is missing, and how to get it."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from harness.errors import HarnessError
from harness.machine.boot import DiskImage
from harness.machine.spec import GuestForward, HostDirectory, MachineSpec, Reachable
from harness.platform.base import Missing, Platform
from harness.platform.choose import LIBVIRT, NAMES, choose
from kola.run.parser import Switch

HELP = "show the platforms of this host, and what they lack"
EXAMPLES = (
    "kola platforms",
    "kola platforms --libvirt-uri qemu:///session      # another daemon than this user's default",
)

_DISK = DiskImage(Path("/image.qcow2"))
_PLAIN = MachineSpec(_DISK)
_SERVICE = Reachable(forwards=(GuestForward("10.0.2.100", 80, "service"),))
_FEATURES = {
    "services for guests": replace(_PLAIN, reachable=_SERVICE),
    "host directories": replace(_PLAIN, host_directories=(HostDirectory(Path("/"), "/mnt"),)),
    "NUMA": replace(_PLAIN, numa_nodes=True),
    "aarch64": replace(_PLAIN, arch="aarch64"),
}


@dataclass(frozen=True)
class Answer:
    """The state of one platform. Without `ready` no machine starts there; `error` says why else."""

    name: str
    ready: bool
    accelerator: str
    offers: tuple[str, ...]
    refuses: dict[str, str]
    missing: tuple[Missing, ...]
    error: str = ""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--libvirt-uri", default="", metavar="URI", help="the libvirt daemon to ask")
    parser.add_argument("--json", action=Switch, help="print JSON")


def run(args: argparse.Namespace) -> int:
    """Print all platforms. Returns 0 also when none is ready: this is a question, not a test."""
    answers = [_ask(name, args.libvirt_uri) for name in NAMES]
    if args.json:
        print(json.dumps([asdict(answer) for answer in answers]))
    else:
        print("\n\n".join("\n".join(_lines(answer)) for answer in answers))
    return 0


def _ask(name: str, uri: str) -> Answer:
    chosen = choose(name, "x86_64", uri=uri if name == LIBVIRT else "")
    missing = tuple(chosen.check_host())
    blank = Answer(name, False, "", (), {}, missing)
    if any(one.essential for one in missing):
        return blank
    try:
        return _offers(chosen, blank)
    except HarnessError as error:
        return replace(blank, error=str(error))


def _offers(chosen: Platform, blank: Answer) -> Answer:
    accelerator = chosen.note or "hardware (KVM)"
    reasons = {feature: chosen.refuses(spec) for feature, spec in _FEATURES.items()}
    clones = ["clones"] if chosen.templates is not None and not chosen.why_not_clone(_PLAIN) else []
    return replace(
        blank,
        ready=True,
        accelerator=accelerator,
        offers=(*clones, *(feature for feature, reason in reasons.items() if not reason)),
        refuses={feature: reason for feature, reason in reasons.items() if reason},
    )


def _lines(answer: Answer) -> Iterator[str]:
    yield f"{answer.name}: {'ready' if answer.ready else 'not ready'}"
    if answer.ready:
        yield f"  accelerator: {answer.accelerator}"
        yield f"  offers: {', '.join(answer.offers)}"
    for feature, reason in answer.refuses.items():
        yield f"  refuses {feature}: {reason}"
    for one in answer.missing:
        yield f"  missing: {one.name}{'' if one.essential else ' (optional)'}"
        yield f"    {one.hint}"
    if answer.error:
        yield f"  {answer.error}"

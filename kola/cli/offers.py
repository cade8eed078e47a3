"""The offers of the platforms on this host."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from harness.errors import HarnessError
from harness.machine.boot import DiskImage
from harness.machine.spec import GuestForward, HostDirectory, MachineSpec, Reachable
from harness.platform.base import Missing, Platform
from harness.platform.choose import LIBVIRT, NAMES, choose

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


def ask_all(libvirt_uri: str) -> list[Answer]:
    """Ask every platform. An empty URI stands for the user's own libvirt daemon."""
    return [_ask(name, libvirt_uri) for name in NAMES]


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

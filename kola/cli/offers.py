"""The offers of the platforms on this host."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

from harness.errors import HarnessError
from harness.machine.boot import DiskImage
from harness.machine.spec import GuestForward, HostDirectory, MachineSpec, Reachable
from harness.platform.base import Missing, Platform
from harness.platform.choose import NAMES, choose_fleet
from harness.platform.hosts import HostEntry

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
    """The state of one platform, or of one `host` of a pool.

    Without `ready` no machine starts there; `error` says why else. `room` are its memory and CPUs.
    """

    name: str
    ready: bool
    accelerator: str
    offers: tuple[str, ...]
    refuses: dict[str, str]
    missing: tuple[Missing, ...]
    error: str = ""
    host: str = ""
    room: str = ""


def ask_all(hosts: Sequence[HostEntry]) -> list[Answer]:
    """Ask every platform, and every host of a pool. No host stands for the user's own libvirt daemon."""
    asked = [
        (name, member.name if len(hosts) > 1 else "", member.platform)
        for name in NAMES
        for member in choose_fleet(name, "x86_64", hosts).members
    ]
    with ThreadPoolExecutor(len(asked)) as pool:
        return list(pool.map(lambda one: replace(_ask(one[0], one[2]), host=one[1]), asked))


def _ask(name: str, chosen: Platform) -> Answer:
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
    capacity = chosen.capacity()
    free = max(0, capacity.available_memory - capacity.promised_memory)
    reasons = {feature: chosen.refuses(spec) for feature, spec in _FEATURES.items()}
    clones = ["clones"] if chosen.templates is not None and not chosen.why_not_clone(_PLAIN) else []
    return replace(
        blank,
        ready=True,
        accelerator=accelerator,
        room=f"{free >> 20} of {capacity.total_memory >> 20} MiB of memory, {capacity.cpus} CPUs",
        offers=(*clones, *(feature for feature, reason in reasons.items() if not reason)),
        refuses={feature: reason for feature, reason in reasons.items() if reason},
    )

"""The plan of the stand-in: the JSON file named by $KOLA_FAKE_PLAN, checked key by key."""

from __future__ import annotations

import fcntl
import json
import os
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

FAULTS = (
    "",
    "kernel-panic",
    "emergency-shell",
    "initramfs",
    "silence",
    "stall",
    "no-dhcp",
    "sshd-refuses",
    "sshd-mute",
    "qemu-exit",
)
ACTIONS = (
    "",
    "panic",
    "exit",
    "drop",
    "freeze",
    "reset",
    "reboot",
    "poweroff",
    "host-disk-full",
    "silence",
    "sshd-stops",
    "starve",
)


class PlanError(Exception):
    """The test wrote a plan that means nothing."""


@dataclass(frozen=True)
class Exit:
    status: int = 1
    stderr: str = ""


@dataclass(frozen=True)
class Boot:
    """A boot of the guest. Console lines and journal messages are added to the usual ones.

    A console line that begins with `port NAME ` goes to that virtio port instead, and `pause SECONDS` waits.
    `then` is done afterwards.
    """

    fault: str = ""
    delay: float = 0.0
    console: tuple[str, ...] = ()
    journal: tuple[str, ...] = ()
    then: str = ""
    keep_boot_id: bool = False


@dataclass(frozen=True)
class Override:
    """The answer to a command whose line contains the regular expression `match`.

    `size` adds that many bytes of output, -1 endless output; `journal_late` comes a second after the answer;
    `then` happens after the output is sent; after `times` uses it no longer applies.
    """

    match: str
    status: int = 0
    stdout: str = ""
    stderr: str = ""
    delay: float = 0.0
    size: int = 0
    hang: bool = False
    console: tuple[str, ...] = ()
    journal: tuple[str, ...] = ()
    journal_late: tuple[str, ...] = ()
    then: str = ""
    times: int = 1 << 30


@dataclass(frozen=True)
class Plan:
    """The whole plan. Without any key it describes a healthy guest that accepts its SSH key."""

    exit_at_start: Exit | None = None
    kvm: bool = False
    qmp: str = "answers"
    boots: tuple[Boot, ...] = (Boot(),)
    refuse_key: bool = False
    refuse_key_times: int = 0
    drop_logins: int = 0
    wrong_host_key: bool = False
    commands: tuple[Override, ...] = ()
    failed_units: tuple[str, ...] = ()
    restarting_units: dict[str, int] = field(default_factory=dict)
    core_dumps: tuple[str, ...] = ()
    state: str = ""
    units: dict[str, dict[str, str]] = field(default_factory=dict)
    files: dict[str, str] = field(default_factory=dict)
    disk_full: bool = False
    freezes: bool = True
    open_ports: tuple[int, ...] = (22,)

    def boot(self, number: int) -> Boot:
        """The plan of boot `number`, counted from 0; the last one goes for all that follow."""
        return self.boots[min(number, len(self.boots) - 1)]


def load() -> Plan:
    """The plan of this launch; every launch is noted in `<plan>.launches`, one process id a line."""
    name = os.environ.get("KOLA_FAKE_PLAN")
    if name is None:
        return Plan()
    launch = _note_launch(Path(f"{name}.launches"))
    document = json.loads(Path(name).read_text())
    if "sequence" in document:
        document = document["sequence"][min(launch, len(document["sequence"]) - 1)]
    return parse(document)


def _note_launch(path: Path) -> int:
    with path.open("a+") as notes:
        fcntl.flock(notes, fcntl.LOCK_EX)
        notes.seek(0)
        earlier = len(notes.readlines())
        notes.write(f"{os.getpid()}\n")
    return earlier


def parse(document: dict[str, Any]) -> Plan:
    values = _known(Plan, document)
    if values.get("exit_at_start") is not None:
        values["exit_at_start"] = Exit(**_known(Exit, values["exit_at_start"]))
    if "boots" in values:
        values["boots"] = tuple(Boot(**_known(Boot, boot)) for boot in values["boots"])
    if "commands" in values:
        values["commands"] = tuple(Override(**_known(Override, entry)) for entry in values["commands"])
    plan = Plan(**values)
    _one_of(plan.qmp, ("answers", "silent", "deaf"))
    for boot in plan.boots:
        _one_of(boot.fault, FAULTS)
        _one_of(boot.then, ACTIONS)
    for command in plan.commands:
        _one_of(command.then, ACTIONS)
    return plan


def _known(kind: type[Any], document: dict[str, Any]) -> dict[str, Any]:
    names = {entry.name for entry in fields(kind)}
    unknown = set(document) - names
    if unknown:
        raise PlanError(f"{kind.__name__} knows no {', '.join(sorted(unknown))}")
    return {key: tuple(value) if isinstance(value, list) else value for key, value in document.items()}


def _one_of(value: str, known: tuple[str, ...]) -> None:
    if value not in known:
        raise PlanError(f"{value!r} is none of {', '.join(known)}")

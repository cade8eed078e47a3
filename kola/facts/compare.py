"""Differences between the facts of two builds, and their severity."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from kola.facts.approvals import Approval
from kola.facts.model import Facts

GRAVE = frozenset(
    {
        "accounts",
        "beyond-modes",
        "binary-handlers",
        "packets",
        "groups",
        "sudo",
        "ways-in",
        "keys",
        "listeners",
        "enabled-units",
        "running-units",
        "unix-listeners",
        "setuid",
        "capabilities",
        "declared",
        "mounts",
        "network",
        "swap",
        "kernel-arguments",
        "boot-entries",
        "boot-menu",
        "clock",
        "consoles",
        "deployments",
        "journal",
        "names",
        "open-files",
        "remotes",
        "secrets",
        "states",
        "subordinate-ids",
    }
)
"""Categories in which a difference fails the run unless it is approved."""

_OPENING_FILES = re.compile(
    r"/etc/(sudoers|ssh/|pam\.|security/|nsswitch\.conf|ld\.so\.(preload|conf)|hosts\.(allow|deny)|polkit-1/|dbus-1/|cron|anacrontab|rc\.|init\.d/"
    r"|profile\.d/|udev/|tmpfiles\.d/|alternatives/|modprobe\.d/|modules-load\.d/|NetworkManager/(conf\.d|dispatcher\.d)/|systemd/).*"
    r"|/etc/(containers|docker|isulad|rpm|yum\.repos\.d)/.*|/var/(roothome|home/[^/]+)/\.(?!bash|zsh|csh|tcsh)[a-z]+rc"
    r"|/run/(systemd/system|udev)/.*|/var/usrlocal/.*|/var/spool/(cron|at)/.*"
)
"""Files that give rights, or that somebody runs. In the category `files` these are graver than others."""

TIMES = frozenset({"boot-times"})
"""Categories of seconds, which differ from boot to boot: told when they grow by half, and by ten seconds."""


def _is_grave(category: str, item: str) -> bool:
    return category in GRAVE or (category == "files" and _OPENING_FILES.fullmatch(item) is not None)


def _slower(before: str | None, after: str | None) -> bool:
    try:
        old, new = float((before or "").split()[0]), float((after or "").split()[0])
    except (IndexError, ValueError):
        return False
    return new > 1.5 * old and new - old >= 10


class Severity(StrEnum):
    """The severity of a difference: `failure` fails the run, `approved` was one, `notice` is only
    reported.
    """

    FAILURE = "failure"
    APPROVED = "approved"
    NOTICE = "notice"


@dataclass(frozen=True)
class Difference:
    """A changed fact. A `before` or `after` of None means that the item does not exist."""

    severity: Severity
    category: str
    item: str
    before: str | None
    after: str | None
    reason: str = ""

    def __str__(self) -> str:
        match self.before, self.after:
            case None, after:
                says = f"is new: {after}" if after else "is new"
            case before, None:
                says = f"is gone: {before}" if before else "is gone"
            case before, after:
                says = f"{before} → {after}"
        approved = f" (approved: {self.reason})" if self.reason else ""
        return f"{self.severity}: {self.category}: {self.item}: {says}{approved}"


def differences(before: Facts, after: Facts, approvals: Iterable[Approval] = ()) -> list[Difference]:
    """Return all differences, the gravest first, then by category and item."""
    known = list(approvals)
    found = []
    for category in before.categories.keys() | after.categories.keys():
        old, new = before.categories.get(category, {}), after.categories.get(category, {})
        for item in old.keys() | new.keys():
            if old.get(item) == new.get(item) or (
                category in TIMES and not _slower(old.get(item), new.get(item))
            ):
                continue
            severity, reason = Severity.NOTICE, ""
            if _is_grave(category, item):
                approval = next((one for one in known if one.covers(category, item)), None)
                severity = Severity.FAILURE if approval is None else Severity.APPROVED
                reason = approval.reason if approval is not None else ""
            found.append(Difference(severity, category, item, old.get(item), new.get(item), reason))
    order = list(Severity)
    return sorted(found, key=lambda one: (order.index(one.severity), one.category, one.item))

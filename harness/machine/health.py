"""Is this machine well? Asked after boot, after every reboot and after the test."""

from __future__ import annotations

import re
from dataclasses import dataclass

from harness.machine.incidents import Incident
from harness.machine.journal import Journal

# One round trip for everything that needs the guest's word; sections are told apart by their headers.
# `is-system-running --wait` returns once the boot's job queue is empty. A unit may take for ever to start and
# mean to (NestOS's own tests have one): that is no illness, so it is not waited for without end.
# Under emulation every program it starts is felt, after every test: so few of them.
PROBE = r"""
state=$(systemctl is-system-running)
case $state in
initializing | starting)
    state=$(timeout 60 systemctl is-system-running --wait)
    [ -n "$state" ] || state=$(systemctl is-system-running) ;;
esac
echo '@state'; echo "$state"
units=$(systemctl list-units --all --state=failed,activating --plain --no-legend --no-pager)
in_state() {
    while read -r unit _ active _; do [ "$active" != "$1" ] || echo "$unit"; done <<EOF
$units
EOF
}
echo '@failed'; in_state failed
echo '@activating'
for u in $(in_state activating); do
    echo "$u $(systemctl show -p NRestarts --value "$u")"
done
echo '@coredumps'
for dump in /var/lib/systemd/coredump/*; do [ ! -e "$dump" ] || echo "${dump##*/}"; done
exit 0
"""

CHECKS = ("system-state", "failed-unit", "restart-loop", "core-dump", "avc-denial")
"""Names of the checks made here; those of harness.machine.badness come on top."""

_AVC = re.compile(r"avc:\s+denied\s+(.*)")


@dataclass(frozen=True)
class Finding:
    """One thing that is not well. `name` is what a test opts out by."""

    name: str
    message: str
    warn_only: bool = False


@dataclass(frozen=True)
class Report:
    """What the guest answered to PROBE."""

    state: str
    failed: tuple[str, ...]
    restarting: tuple[tuple[str, int], ...]
    coredumps: tuple[str, ...]

    @classmethod
    def parse(cls, text: str) -> Report:
        sections: dict[str, list[str]] = {}
        current: list[str] = []
        for line in text.splitlines():
            if line.startswith("@"):
                current = sections.setdefault(line[1:], [])
            elif line.strip():
                current.append(line.strip())
        restarting = []
        for line in sections.get("activating", []):
            unit, _, count = line.partition(" ")
            if count.isdigit() and int(count) >= 2:
                restarting.append((unit, int(count)))
        return cls(
            state=(sections.get("state") or [""])[0],
            failed=tuple(line.removeprefix("● ").split()[0] for line in sections.get("failed", [])),
            restarting=tuple(restarting),
            coredumps=tuple(sections.get("coredumps", [])),
        )

    def findings(self) -> list[Finding]:
        found = [Finding("failed-unit", f"unit {unit} has failed") for unit in self.failed]
        found += [
            Finding("restart-loop", f"unit {unit} keeps restarting ({count} times)")
            for unit, count in self.restarting
        ]
        found += [Finding("core-dump", f"a core was dumped: {name}") for name in self.coredumps]
        if self.state not in ("running", "degraded", "starting"):
            found.append(Finding("system-state", f"systemctl is-system-running says {self.state!r}"))
        elif self.state == "degraded" and not self.failed:
            found.append(Finding("system-state", "the system is degraded though no unit has failed"))
        return found


def of_incidents(incidents: list[Incident]) -> list[Finding]:
    """Console and journal often show the same message: each name and text counts once."""
    found: dict[tuple[str, str], Finding] = {}
    for incident in incidents:
        text = re.sub(r"^\[ *\d+\.\d+\] ", "", incident.message)
        key = (incident.name, text.rpartition(": ")[2][-60:])
        finding = Finding(incident.name, f"{incident.message} ({incident.source})", incident.warn_only)
        found.setdefault(key, finding)
    return list(found.values())


def of_journal(journal: Journal, since: int) -> list[Finding]:
    """AVC denials since a position of the journal."""
    return [
        Finding("avc-denial", f"SELinux denied {match[1]}")
        for entry in journal.entries(since=since)
        if (match := _AVC.search(entry.message))
    ]

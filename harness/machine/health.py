"""The health check of a machine: made after boot, after every reboot and after the test."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from harness.machine.incidents import Incident
from harness.machine.journal import Journal

# All questions to the guest go in one round trip; headers separate the answers. Under emulation every program
# that PROBE starts costs time after every test, so it starts few.
PROBE = r"""
state=${state-$(systemctl is-system-running)}
echo '@state'; echo "$state"
echo '@jobs'; case $state in initializing | starting) systemctl list-jobs --no-legend --no-pager ;; esac
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
echo '@mounts'; cat /proc/self/mountinfo
# /boot of a live system is a directory of its root, which is read-only and has no space left.
boot=/boot; [ ! -e /run/ostree-live ] || boot=
echo '@space'; stat --file-system --format='%n %i %S %b %a %c %d' /var /etc $boot /tmp /run 2>/dev/null
exit 0
"""

# Runs before PROBE until a boot has been waited for: `is-system-running --wait` returns once the job queue is
# empty. A unit may take for ever to start on purpose (NestOS's own tests have one). Then the guest is idle,
# the same jobs remain, and jobs that do not run wait for the one that does: waiting longer is useless.
# Slices are of five seconds: `most` of them, or `enough` in which nothing happens.
WAIT_FOR_BOOT = r"""
idle_ticks() { read -r _ user nice system idle rest </proc/stat; busy=$((user + nice + system)); }
starting() { case $state in initializing | starting) ;; *) false ;; esac; }
state=$(systemctl is-system-running) slices=0 quiet=0 left=
while starting && [ $slices -lt ${most:-12} ] && [ $quiet -lt ${enough:-3} ]; do
    idle_ticks; busy_before=$busy idle_before=$idle
    state=$(timeout 5 systemctl is-system-running --wait)
    [ -z "$state" ] || break
    state=$(systemctl is-system-running) slices=$((slices + 1))
    idle_ticks; left_before=$left left=$(systemctl list-jobs --no-legend --no-pager)
    if [ "$left" = "$left_before" ] && [ $((busy - busy_before)) -lt $((idle - idle_before)) ]; then
        quiet=$((quiet + 1))
    else
        quiet=0
    fi
done
"""

CHECKS = (
    "system-state",
    "failed-unit",
    "restart-loop",
    "core-dump",
    "avc-denial",
    "read-only-filesystem",
    "disk-full",
)
"""Names of the checks made here. The patterns of harness.machine.badness are checked as well."""

_FULL_BYTES = 1 << 20
"""A file system with less free space than this, in bytes, counts as full."""

_DISKS = frozenset({"ext2", "ext3", "ext4", "xfs", "btrfs", "f2fs"})
_SYSTEM = frozenset({"/", "/etc", "/var", "/sysroot"})

_AVC = re.compile(r"avc:\s+denied\s+(.*)")


@dataclass(frozen=True)
class Finding:
    """A problem that the health check found. Tests opt out by `cause`."""

    cause: str
    message: str
    warn_only: bool = False


@dataclass(frozen=True)
class Report:
    """The guest's answer to PROBE."""

    state: str
    failed: tuple[str, ...]
    restarting: tuple[tuple[str, int], ...]
    coredumps: tuple[str, ...]
    jobs: tuple[str, ...] = ()
    read_only: tuple[str, ...] = ()
    full: tuple[str, ...] = ()

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
            jobs=tuple(sections.get("jobs", [])),
            read_only=tuple(_read_only(sections.get("mounts", []))),
            full=tuple(_full(sections.get("space", []))),
        )

    @property
    def still_starting(self) -> str:
        """The jobs that the boot is still waiting for, as text; empty once the boot is complete."""
        if self.state not in ("initializing", "starting"):
            return ""
        running = [line.split()[1] for line in self.jobs if line.endswith(" running")]
        waiting = len(self.jobs) - len(running)
        rest = f", {waiting} more wait for others" if waiting else ""
        return f"the guest is still starting: {', '.join(running) or 'no job'} runs{rest}"

    def findings(self) -> list[Finding]:
        found = [Finding("failed-unit", f"unit {unit} has failed") for unit in self.failed]
        found += [
            Finding("restart-loop", f"unit {unit} keeps restarting ({count} times)")
            for unit, count in self.restarting
        ]
        found += [Finding("core-dump", f"a core was dumped: {name}") for name in self.coredumps]
        found += [
            Finding("read-only-filesystem", f"{point} has become read-only", warn_only=True)
            for point in self.read_only
        ]
        found += [Finding("disk-full", f"{text}", warn_only=True) for text in self.full]
        if self.state not in ("running", "degraded", "starting"):
            found.append(Finding("system-state", f"systemctl is-system-running says {self.state!r}"))
        elif self.state == "degraded" and not self.failed:
            found.append(Finding("system-state", "the system is degraded though no unit has failed"))
        return found


def _read_only(mounts: list[str]) -> Iterator[str]:
    """Yield the mount points of the system's own disk that are read-only, from mountinfo (proc(5)).

    The state of the file system itself decides, since ostree mounts /sysroot read-only; for /etc and /var the
    mount's state counts, too.
    """
    for line in mounts:
        mount, _, about = line.partition(" - ")
        fields, source = mount.split(), about.split()
        if len(fields) < 6 or len(source) < 3 or source[0] not in _DISKS:
            continue
        point, options = fields[4], fields[5].split(",")
        spoiled = point in _SYSTEM and "ro" in source[2].split(",")
        if spoiled or (point in ("/etc", "/var") and "ro" in options):
            yield point


def _full(rows: list[str]) -> Iterator[str]:
    """Yield the full file systems, each once, from the rows of PROBE (stat(1))."""
    seen = set()
    for row in rows:
        path, identity, *numbers = row.split()
        if identity in seen or len(numbers) != 5 or not all(number.isdigit() for number in numbers):
            continue
        seen.add(identity)
        size, blocks, available, inodes, free = (int(number) for number in numbers)
        if blocks and available * size < _FULL_BYTES:
            left, total = available * size >> 10, blocks * size >> 20
            yield f"the disk under {path} is full: {left} KiB of {total} MiB left"
        elif inodes and not free:
            yield f"the disk under {path} is full: none of its {inodes} inodes is left"


def of_incidents(incidents: list[Incident]) -> list[Finding]:
    """Turn incidents into findings.

    Console and journal often show the same message: each name and text counts once.
    """
    found: dict[tuple[str, str], Finding] = {}
    for incident in incidents:
        text = re.sub(r"^\[ *\d+\.\d+\] ", "", incident.message)
        key = (incident.cause, text.rpartition(": ")[2][-60:])
        finding = Finding(incident.cause, f"{incident.message} ({incident.source})", incident.warn_only)
        found.setdefault(key, finding)
    return list(found.values())


def of_journal(journal: Journal, since: int) -> list[Finding]:
    """Return the AVC denials logged since a position of the journal."""
    return [
        Finding("avc-denial", f"SELinux denied {match[1]}")
        for entry in journal.entries(since=since)
        if (match := _AVC.search(entry.message))
    ]

"""Rules for the clock: it follows a source outside the machine."""

from __future__ import annotations

import re
from collections.abc import Iterator

from testsuites.audit.finding import Finding
from testsuites.audit.record import Record

_KEEPERS = {"chronyd", "systemd-timesyncd", "systemd-timesyn", "ntpd"}
_SOURCE = re.compile(r"\s*(server|pool|peer|refclock|sourcedir)\b")
_OWN_CLOCK = re.compile(r"\s*(local\b|manual\b|(server|pool)\s+127\.|\w+.*\bnoselect\b|\w+.*\boffline\b)")
_HANDS_OFF = re.compile(r"chronyd\b.*\s-(x|s|r|Q|q)\b")
_ITSELF = "7F7F0101"
"""The reference ID of a chronyd that takes its own clock for a source (chronyc(1), tracking)."""


def keeps_time(record: Record) -> list[Finding]:
    """Return findings unless a time service runs that follows sources other than its own clock."""
    return list(_keeps_time(record))


def _keeps_time(record: Record) -> Iterator[Finding]:
    rule = "the clock follows a source"
    running = {process.name for process in record.cgroups.values()} & _KEEPERS
    if not running:
        yield Finding(rule, "time service", "none runs")
    for line in record.lines("processes"):
        if _HANDS_OFF.search(line):
            yield Finding(rule, "chronyd", f"does not set the clock: {' '.join(line.split()[3:])}")
    if "LOCAL" in record.lines("adjtime"):
        yield Finding("the hardware clock has UTC", "/etc/adjtime", "says LOCAL")
    if "chronyd" not in running:
        return
    config = record.file_lines("clock-config")
    for one in config:
        if _OWN_CLOCK.match(one.text):
            yield Finding(rule, one.file, f"says {one.text.strip()[:60]}")
    if not any(_SOURCE.match(one.text) for one in config):
        yield Finding(rule, "chronyd", "its configuration names no source")
    tracking = " ".join(record.lines("clock"))
    if tracking.startswith(_ITSELF):
        yield Finding(
            rule, "chronyd", f"takes its own clock for a source of stratum {tracking.split(',')[2]}"
        )
    elif tracking.count(",") < 5:
        yield Finding(rule, "chronyd", f"does not say whom it follows: {tracking[:60]!r}")

"""Rules for the health of units: none fails, restarts or starts for ever, and the network is waited for."""

from __future__ import annotations

import re

from testsuites.audit.finding import Finding
from testsuites.audit.record import Record

_WAIT_ONLINE = re.compile(r"path=\S*/(nm-online|systemd-networkd-wait-online)\b")
_AT_WORK = {"activating", "deactivating", "reloading"}


def waits_for_network(record: Record) -> list[Finding]:
    """A service that really waits comes before network-online.target."""
    rule = "network-online.target waits"
    found = []
    waits = False
    for shown in record.shown("wait-online"):
        name = shown.get("Id", "")
        if shown.get("LoadState") != "loaded" or shown.get("UnitFileState") not in ("enabled", "static"):
            continue
        if not _WAIT_ONLINE.search(shown.get("ExecStart", "")):
            found.append(Finding(rule, name, f"runs {shown.get('ExecStart', '')[:60] or 'nothing'}"))
        elif "network-online.target" not in shown.get("Before", "").split():
            found.append(Finding(rule, name, "is not ordered before network-online.target"))
        elif shown.get("ActiveState") == "failed":
            found.append(Finding(rule, name, "failed"))
        else:
            waits = True
    if not waits and not found:
        found.append(Finding(rule, "network-online.target", "no service that waits is enabled"))
    return found


def unwell_units(record: Record) -> list[Finding]:
    """Return every unit of every manager that failed, has not finished starting, restarts, or cannot be
    loaded.
    """
    found = []
    for unit in record.units:
        name = unit.name if unit.manager == "system" else f"{unit.name} of {unit.manager}"
        if unit.active == "failed":
            found.append(Finding("no unit fails", name, "failed"))
        elif unit.sub == "auto-restart":
            found.append(Finding("no unit restarts", name, "has ended and waits to be started again"))
        elif unit.active in _AT_WORK and not unit.name.endswith((".device", ".scope")):
            found.append(Finding("every unit ends its start", name, f"is {unit.active} ({unit.sub})"))
        elif unit.load in ("bad-setting", "error"):
            found.append(Finding("every unit can be read", name, f"is {unit.load}"))
    for line in record.lines("jobs"):
        fields = line.split()
        if len(fields) >= 4 and fields[0].isdigit():
            found.append(
                Finding("every unit ends its start", fields[1], f"its {fields[2]} job is {fields[3]}")
            )
    for shown in record.shown("services"):
        # Watchdogs fire when a host starves its guest; a second restart has another cause.
        watched = shown.get("WatchdogUSec", "0") not in ("0", "", "infinity")
        if shown.get("NRestarts", "0") not in (("0", "", "1") if watched else ("0", "")):
            found.append(
                Finding("no unit restarts", shown.get("Id", "?"), f"was restarted {shown['NRestarts']} times")
            )
    return found

"""Rules for processes: their programs are the build's, and their units started them."""

from __future__ import annotations

from collections.abc import Iterator

from testsuites.audit.configured import Configured
from testsuites.audit.finding import Finding
from testsuites.audit.record import Record


def foreign_programs(record: Record) -> Iterator[Finding]:
    """Processes of a program that is not below /usr."""
    for pid, program in record.programs.items():
        if not program.startswith("/usr/"):
            unit = record.cgroups[pid].unit if pid in record.cgroups else ""
            yield Finding("what runs is the build's", program, f"runs as process {pid} ({unit or 'no unit'})")


def strays(record: Record, configured: Configured) -> Iterator[Finding]:
    """Processes that hide: named like a thread of the kernel, in no unit, or in a unit that did not start
    them.
    """
    rule = "what runs was started by its unit"
    started = {
        one.get("Id", ""): {one["MainPID"], one.get("ControlPID", "")}
        for one in record.shown("services")
        if "MainPID" in one
    }
    names = {int(row[0]): row[3] for line in record.lines("processes") if len(row := line.split(None, 3)) > 3}
    for pid, program in record.programs.items():
        process = record.cgroups.get(pid)
        if process is None or not program or pid not in record.processes_later:
            continue  # services that are started on demand come and go meanwhile
        shown = f"{program} (process {pid})"
        if names.get(pid, "").startswith("["):
            yield Finding(rule, shown, f"calls itself {names[pid]}, like a thread of the kernel")
        path = process.cgroup.partition("::")[2]
        parent = record.cgroups.get(process.parent)
        own = parent is not None and parent.unit == process.unit
        if path == "/" or (path == "/init.scope" and pid != 1):
            yield Finding(rule, shown, f"is in {'no unit' if path == '/' else 'init.scope'}")
        elif path.startswith("/system.slice/") and process.unit in started and not own:
            ours = process.unit in configured.units or process.unit.startswith("kola-")
            if str(pid) not in started[process.unit] and not ours:
                yield Finding(rule, shown, f"is in {process.unit}, which did not start it")

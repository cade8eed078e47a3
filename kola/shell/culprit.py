"""The cause of a test's unexpected end: the guest's kernel, its systemd, or the test itself."""

from __future__ import annotations

import re

from harness.errors import HarnessError, MachineFailure
from harness.machine.incidents import Incident
from harness.machine.machine import Machine
from harness.machine.ssh import KILLED, ConnectionLost
from harness.util.deadline import Deadline
from kola.shell.news import Ended

_OOM = "oom-killer"
_OOM_RESULT = "oom-kill"  # systemd.exec(5), $SERVICE_RESULT
_VICTIM = "Killed process"
_VICTIM_SECONDS = 5.0
_SETTLE_SECONDS = 10.0
_EMERGENCY_SECONDS = 20.0
_ASK = (
    "systemctl is-system-running; systemctl list-jobs --no-legend --no-pager;"
    " systemctl list-units --state=active --plain --no-legend --no-pager emergency.target rescue.target"
)
_STAYS = ("running", "degraded", "starting", "initializing")
_ON_THE_WAY = re.compile(r"^(maintenance|stopping)$|\b(emergency|rescue)\.(target|service)\b", re.MULTILINE)


def look(machine: Machine, ended: Ended | None) -> None:
    """Raise MachineFailure, with the guest's own messages, when the guest ended the test.

    Without `ended` the state of the test is unknown, since kolet has gone away.
    """
    if ended is not None and ended.passed:
        return
    _out_of_memory(machine, ended)
    if ended is None or ended.exit_status is None:
        _emergency(machine)


def memory_ran_out(machine: Machine) -> HarnessError | None:
    """Return the failure of a guest whose kernel killed a process while a Python test ran that has failed.

    The machine remembers a killed command, since a test may assert anything about it.
    """
    return _memory_ran_out(machine, machine.deadline(1.0 if machine.command_was_killed else 0.0))


def _out_of_memory(machine: Machine, ended: Ended | None) -> None:
    certain = ended is not None and ended.result == _OOM_RESULT
    suspected = ended is None or ended.signal is not None or ended.exit_status in KILLED
    limit = machine.deadline(_SETTLE_SECONDS if certain else 1.0 if suspected else 0.0)
    error = _memory_ran_out(machine, limit)
    if error is not None:
        raise error


def _memory_ran_out(machine: Machine, limit: Deadline) -> HarnessError | None:
    """The journal's stream may be a little behind the answer to our command: wait until `limit`."""
    incidents = machine.instance.incidents
    while (found := incidents.latest(_OOM)) is None and not limit.expired:
        incidents.wake.wait(0.1)
    if found is None or incidents.expects(_OOM):
        return None
    return found.error(evidence=_victims(machine, found))


def _victims(machine: Machine, found: Incident) -> str:
    """Return the kernel's lines that name what it killed, unless the incident is one of them.

    The kernel first tells that memory ran out, then lists what runs, and names its victim last.
    """
    if _VICTIM in found.message:
        return ""
    limit = machine.deadline(_VICTIM_SECONDS)
    while not (lines := _named(machine)) and not limit.expired:
        machine.instance.incidents.wake.wait(0.1)
    return "\n".join(lines)[-1000:]


def _named(machine: Machine) -> list[str]:
    lines = [entry.line() for entry in machine.journal.entries(identifier="kernel")[-200:]]
    return [line for line in lines if f"ut of memory: {_VICTIM}" in line]


def _emergency(machine: Machine) -> None:
    """Raise when systemd stopped the test on its way to the emergency or rescue shell."""
    incidents = machine.instance.incidents
    limit = machine.deadline(_EMERGENCY_SECONDS)
    reached = False
    while not reached and incidents.fatal is None and not limit.expired:
        try:
            # As root: systemd answers root when the message bus has already been stopped.
            answer = machine.run(_ASK, sudo=True, timeout=30).stdout
        except ConnectionLost:
            incidents.wake.wait(limit.remaining)
            break
        if answer.startswith(_STAYS) and _ON_THE_WAY.search(answer) is None:
            return
        reached = answer.startswith("maintenance")
        incidents.wake.wait(0.5)
    console = machine.console.text(15)
    incidents.check(lambda: console)
    if reached:
        raise MachineFailure(
            "emergency-shell", "the guest is in its emergency or rescue shell", evidence=console
        )

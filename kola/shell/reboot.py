"""The host's part in the reboot protocol of Debian's autopkgtest, which kola adopted."""

from __future__ import annotations

import contextlib
from collections.abc import Collection

from harness.errors import DeadlineExceeded
from harness.machine.machine import Machine
from harness.machine.probe import Since, sshd_started
from harness.machine.sessions import BOOT_SECONDS, DOWN_SECONDS
from harness.machine.ssh import ConnectionLost
from kola.shell.failures import UnexpectedReboot
from kola.shell.job import KOLET
from kola.shell.news import RebootAsked

ABANDONED = "the test ended without the reboot it had prepared"
"""kolet's message in the journal."""

_KERNEL_STARTS = b"Linux version "
_USERSPACE = "systemctl show --property=ActiveEnterTimestampMonotonic --value basic.target"


def carry_out(machine: Machine, asked: RebootAsked, opt_out: Collection[str]) -> None:
    """Permit the reboot, wait for the new boot and check its health.

    Raises UnexpectedReboot when the test does not reboot after all.
    """
    before = _Boot(machine.boot_id, asked.userspace)
    since = Since.now(machine.instance)
    departures = machine.instance.incidents.departures
    with contextlib.suppress(ConnectionLost):  # the answer may be lost on the way down
        machine.run([KOLET, "acknowledge"], sudo=True, timeout=60)
    machine.drop_connection()
    try:
        machine.deadline(DOWN_SECONDS).poll(
            lambda: _gone(machine, since, departures),
            step=f"waiting for the {asked.kind} reboot the test asked for",
        )
        limit = machine.deadline(BOOT_SECONDS)

        def rebooted() -> bool:
            machine.leave_boot(since)
            machine.sessions.wait_reachable(limit)
            return before.is_over(machine, asked.kind)

        limit.poll(rebooted, step=f"waiting for the other boot of the {asked.kind} reboot", interval=2.0)
    except DeadlineExceeded as error:
        raise UnexpectedReboot(f"the reboot the test asked for did not happen ({error})") from error
    machine.check_health(opt_out)


def _gone(machine: Machine, since: Since, departures: int) -> bool:
    """Return True when the machine has left its boot; kolet has stopped its sshd."""
    instance = machine.instance
    instance.incidents.check(lambda: instance.console.text(15))
    if (
        instance.incidents.departures > departures
        or _KERNEL_STARTS in instance.console.since(since.console)
        or sshd_started(instance, since)
    ):
        return True
    if instance.journal.grep(f"^{ABANDONED}$", since=since.journal):
        raise UnexpectedReboot(f"the reboot the test asked for did not happen: {ABANDONED}")
    return False


class _Boot:
    """A boot of the kernel and of the userspace above it."""

    def __init__(self, boot_id: str, userspace: str) -> None:
        self._boot_id = boot_id
        self._userspace = userspace

    def is_over(self, machine: Machine, kind: str) -> bool:
        if machine.boot_id != self._boot_id:
            return True
        return kind == "soft" and machine.run(_USERSPACE).stdout.strip() != self._userspace

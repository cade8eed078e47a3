"""The host's part in the reboot protocol of Debian's autopkgtest, which kola took over."""

from __future__ import annotations

import contextlib
from collections.abc import Collection

from harness.errors import DeadlineExceeded
from harness.machine.machine import BOOT_SECONDS, DOWN_SECONDS, Machine
from harness.machine.probe import Since
from harness.machine.ssh import ConnectionLost
from kola.external.failures import UnexpectedReboot
from kola.external.job import KOLET
from kola.external.news import RebootAsked

_USERSPACE = "systemctl show --property=ActiveEnterTimestampMonotonic --value basic.target"


def carry_out(machine: Machine, asked: RebootAsked, opt_out: Collection[str]) -> None:
    """Give leave to reboot, wait for the other boot, see that it is well.

    Raises UnexpectedReboot when the test does not reboot after all.
    """
    before = _Boot(machine.boot_id, asked.userspace)
    since = Since.now(machine.instance)
    with contextlib.suppress(ConnectionLost):  # the answer may be lost on the way down
        machine.run([KOLET, "acknowledge"], sudo=True, timeout=60)

    def rebooted() -> bool:
        machine.leave_boot(since)
        machine.wait_reachable(limit)
        return before.is_over(machine, asked.kind)

    limit = machine.deadline(DOWN_SECONDS + BOOT_SECONDS)
    try:
        limit.poll(rebooted, step=f"waiting for the {asked.kind} reboot the test asked for", interval=2.0)
    except DeadlineExceeded as error:
        raise UnexpectedReboot(f"the reboot the test asked for did not happen ({error})") from error
    machine.check_health(opt_out)


class _Boot:
    """A start of the kernel and of userspace above it."""

    def __init__(self, boot_id: str, userspace: str) -> None:
        self._boot_id = boot_id
        self._userspace = userspace

    def is_over(self, machine: Machine, kind: str) -> bool:
        if machine.boot_id != self._boot_id:
            return True
        return kind == "soft" and machine.run(_USERSPACE).stdout.strip() != self._userspace

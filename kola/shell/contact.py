"""The connection to a guest while its test runs: a lost one is renewed, or its loss is the verdict."""

from __future__ import annotations

import re
import time

from harness.errors import DeadlineExceeded, HarnessError, MachineFailure
from harness.machine.machine import Machine
from harness.util.deadline import Deadline
from kola.shell.failures import UnexpectedReboot

GRACE_SECONDS = 30.0
"""Seconds after its loss, on the machine's scale, in which a connection must return, and last."""

_LASTS_SECONDS = 5.0
_DOWN = "the machine went down without being asked to: use /tmp/autopkgtest-reboot"
_CLOSED = "ssh-refused"
_UNREACHABLE = (_CLOSED, "no-network", "ssh-mute")
_BARRED = "ssh-auth-refused"  # also sent by an sshd that is killed while it asks for a key
_SSHD = re.compile(r"\bsshd?(?:@\S*)?\.(?:service|socket)\b")
_KILLED = ("Failed with result", "code=killed")


class Contact:
    """The connections of one boot. A loss soon after another one shares its grace period."""

    def __init__(self, machine: Machine, boot_id: str) -> None:
        self._machine = machine
        self.boot_id = boot_id
        self._departures = machine.instance.incidents.departures
        self._journal = machine.journal.position
        self._grace: Deadline | None = None
        self._losses = 0
        self._back = time.monotonic()

    def renew(self, whole: Deadline) -> None:
        """Connect again after a loss.

        Raises MachineFailure `ssh-lost` or `sshd-not-running` when that does not succeed in time,
        UnexpectedReboot for another boot, DeadlineExceeded when `whole` is over.
        """
        lasted = time.monotonic() - self._back
        if self._grace is None or lasted > self._machine.deadline(_LASTS_SECONDS).remaining:
            self._grace, self._losses = self._machine.deadline(GRACE_SECONDS), 0
        self._losses += 1
        grace = self._grace
        self._machine.drop_connection()
        try:
            self._connect(grace)
        except DeadlineExceeded as error:
            if whole.expired:
                raise
            raise self._lost(error, grace) from error
        except MachineFailure as error:
            if error.cause not in _UNREACHABLE:
                raise
            raise self._lost(error, grace) from error
        if self._machine.boot_id != self.boot_id:
            raise UnexpectedReboot(_DOWN)
        self._back = time.monotonic()

    def _connect(self, grace: Deadline) -> None:
        while True:
            grace.check("connecting again")
            try:
                return self._machine.sessions.wait_reachable(grace)
            except MachineFailure as error:
                if error.cause != _BARRED:
                    raise

    def _lost(self, error: MachineFailure | DeadlineExceeded, grace: Deadline) -> HarnessError:
        """Return the verdict on a guest that shows no sign of shutting down, but cannot be reached."""
        if self._machine.instance.incidents.departures > self._departures:
            return UnexpectedReboot(f"{_DOWN} ({error})")
        said = self._sshd_said()
        evidence = "\n".join(said[-5:]) or self._machine.console.text(10)
        closed = isinstance(error, MachineFailure) and error.cause == _CLOSED
        killed = any(word in line for line in said for word in _KILLED)
        if closed and self._losses == 1 and not killed:
            return MachineFailure(
                "sshd-not-running",
                f"sshd does not run in a guest that is up: port 22 has been closed for {grace.elapsed:.0f} s",
                evidence=evidence,
            )
        times = "once" if self._losses == 1 else f"{self._losses} times"
        return MachineFailure(
            "ssh-lost",
            f"the SSH connection was lost {times} and could not be had again within {grace.elapsed:.0f} s"
            f" ({error.message if isinstance(error, MachineFailure) else error})",
            evidence=evidence,
        )

    def _sshd_said(self) -> list[str]:
        """Return the journal's entries on sshd and its units since the test began, oldest first."""
        entries = self._machine.journal.entries(since=self._journal)
        return [
            entry.line()
            for entry in entries
            if entry.identifier == "systemd" and _SSHD.search(f"{entry.unit} {entry.message}")
        ]

"""The SSH sessions of a machine: the first of each boot, the one in use, and those that a test opens."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import TracebackType

from harness.errors import MachineFailure
from harness.machine import logins
from harness.machine.arrival import READ_BOOT_ID
from harness.machine.instance import Instance
from harness.machine.probe import Since, wait_for_banner, wait_for_sshd
from harness.machine.ssh import (
    PATIENCE_SECONDS,
    AuthenticationRefused,
    Completed,
    ConnectionLost,
    SshConnection,
    SshKey,
)
from harness.util.deadline import Deadline

BOOT_SECONDS = 600.0
COMMAND_SECONDS = 300.0
CONNECT_SECONDS = 60.0
DOWN_SECONDS = 120.0
HOPELESS_SECONDS = 15.0
NOLOGIN_SECONDS = 5.0
SILENT_SECONDS = 120.0


@dataclass(frozen=True)
class Access:
    """The login of the harness: `user` with `key`, and the host key that the guest must show."""

    user: str
    key: SshKey
    host_key: SshKey | None


class Session:
    """A session that a test has opened. Times are seconds on the machine's scale.

    `note` is told of each command that has ended.
    """

    def __init__(
        self,
        connection: SshConnection,
        deadline: Callable[[float], Deadline],
        note: Callable[[Completed], None],
    ) -> None:
        self._connection = connection
        self._deadline = deadline
        self._note = note

    def run(
        self,
        command: str | Sequence[str],
        *,
        timeout: float = COMMAND_SECONDS,
        input: str | bytes | None = None,
    ) -> Completed:
        """Run a shell line or an argument list. Raises what Machine.run raises."""
        done = self._connection.run(command, deadline=self._deadline(timeout), input=input)
        self._note(done)
        return done

    def close(self) -> None:
        self._connection.close()

    def __enter__(self) -> Session:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class Sessions:
    """The sessions of one machine. `deadline` turns seconds on the machine's scale into a Deadline."""

    def __init__(
        self,
        instance: Instance,
        access: Access,
        *,
        scale: float,
        deadline: Callable[[float], Deadline],
        publish: Callable[[str, dict[str, object]], None],
    ) -> None:
        self._instance = instance
        self._access = access
        self._scale = scale
        self._deadline = deadline
        self._publish = publish
        self._current: SshConnection | None = None
        self._since = Since()
        self.boot_id = ""
        """The kernel's boot id (random(4)), read when the current session was opened."""

    def open(
        self,
        deadline: Deadline,
        *,
        user: str | None = None,
        key: SshKey | None = None,
        password: str | None = None,
    ) -> SshConnection:
        """Open another session, which the caller closes. Raises AuthenticationRefused."""
        return SshConnection.open(
            self.socket_to_sshd(deadline),
            user=user or self._access.user,
            key=None if password is not None else key or self._access.key,
            password=password,
            host_key=self._access.host_key,
            incidents=self._instance.incidents,
            deadline=deadline,
            cpu_seconds=lambda: self._instance.cpu_seconds,
            clock=self._instance.clock,
            patience=PATIENCE_SECONDS * self._scale,
        )

    def socket_to_sshd(self, deadline: Deadline, *, since: Since | None = None) -> socket.socket:
        """Return a new TCP connection on which sshd has sent its banner. The caller closes it.

        What the guest said before `since`, by default the start of the boot in use, does not count.
        """
        return wait_for_banner(
            self._instance,
            self._since if since is None else since,
            deadline=deadline,
            grace=HOPELESS_SECONDS * self._scale,
            silence=SILENT_SECONDS * self._scale,
        )

    @property
    def silence(self) -> float:
        """Seconds since the guest's last sign of life on the current session; 0 without one."""
        return self._current.silence if self._current is not None else 0.0

    def current(self) -> SshConnection:
        """Return the session in use; a new one when the last was lost."""
        if self._current is None or not self._current.alive:
            self.drop()
            self._current = self.open(self._deadline(CONNECT_SECONDS))
        return self._current

    def drop(self) -> None:
        """Close the session in use."""
        if self._current is not None:
            self._current.close()
            self._current = None

    def wait_reachable(self, deadline: Deadline) -> None:
        """Wait until a command has run over SSH. Raises the cause early when that has become impossible."""
        started = time.monotonic()
        barred: Deadline | None = None
        wait_for_sshd(self._instance, self._since, deadline=deadline)
        while True:
            try:
                self._current = self.open(deadline)
                first = self._current.run(READ_BOOT_ID, deadline=deadline)
            except ConnectionLost as error:
                deadline.check("waiting for the first SSH command", str(error))
                continue
            except AuthenticationRefused as error:
                # Logins are barred (pam_nologin) until the system is up.
                barred = self._deadline(NOLOGIN_SECONDS) if barred is None else barred
                if barred.expired:
                    raise MachineFailure(
                        "ssh-auth-refused",
                        f"the guest does not take the key Ignition gave {error.user}: {error}",
                        evidence=self._instance.console.text(10),
                    ) from None
                self._instance.incidents.wake.wait(0.5)
                continue
            if first.ok:
                break
            # PAM may ask for a part of the system that is still starting.
            barred = self._deadline(NOLOGIN_SECONDS) if barred is None else barred
            self._instance.incidents.check()
            if barred.expired:
                raise logins.failure(self._access.user, first, self._instance.journal)
            self.drop()
            self._instance.incidents.wake.wait(0.5)
        self.boot_id = first.stdout.strip()
        self._publish("reachable", {"seconds": time.monotonic() - started, "boot_id": self.boot_id})

    def wait_resumed(self, boot_id: str) -> None:
        """Wait until a guest that continues from boot `boot_id` lets us in."""
        started = time.monotonic()
        self._current = self.open(self._deadline(BOOT_SECONDS))
        self.boot_id = boot_id
        self._publish("reachable", {"seconds": time.monotonic() - started, "boot_id": self.boot_id})

    def leave_boot(self, since: Since) -> None:
        """Record that the current boot has ended. wait_reachable then looks only at output after `since`."""
        self._since = since
        self.drop()

    def wait_rebooted(self, before: str, since: Since) -> None:
        """Wait until a boot other than `before`, begun after `since`, answers."""
        self.leave_boot(since)
        down = self._deadline(DOWN_SECONDS)
        whole = self._deadline(BOOT_SECONDS + DOWN_SECONDS)
        while True:
            self.wait_reachable(whole)
            if self.boot_id != before:
                break
            down.check("waiting for the machine to go down for its reboot", f"boot id still {before}")
            self._wait_disconnected(down)

    def _wait_disconnected(self, deadline: Deadline) -> None:
        connection = self.current()
        deadline.poll(
            lambda: not connection.alive,
            step="waiting for the machine to go down for its reboot",
            interval=0.2,
            last_seen=lambda: self._instance.console.text(1),
        )
        self.drop()

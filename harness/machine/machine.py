"""A machine under test, with the operations that tests use."""

from __future__ import annotations

import contextlib
import shlex
import socket
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from harness.errors import HarnessError, MachineFailure
from harness.machine import health, logins
from harness.machine.arrival import READ_BOOT_ID, Arrival
from harness.machine.console import Console
from harness.machine.guest import File, Unit
from harness.machine.heartbeat import UNRESPONSIVE
from harness.machine.incidents import POWERED_OFF
from harness.machine.instance import Instance
from harness.machine.journal import Journal
from harness.machine.lines import LineChannel
from harness.machine.probe import Since
from harness.machine.sessions import (
    BOOT_SECONDS,
    COMMAND_SECONDS,
    CONNECT_SECONDS,
    DOWN_SECONDS,
    Access,
    Session,
    Sessions,
)
from harness.machine.signs import PATTERNS
from harness.machine.ssh import CommandFailed, Completed, ConnectionLost, SshKey
from harness.util.deadline import Deadline

T = TypeVar("T")

# Exit statuses 1–125: the command refused. Above that it may have been killed during shutdown.
_REFUSALS = range(1, 126)


class Machine:
    """A running guest. Times are seconds, multiplied by `scale` on slow accelerators.

    `how` names its origin: `cold`, `clone`, `first boot from template`; `host` is the name of its host. A
    test that breaks the machine on purpose sets `unchecked`; then no health check follows the test.
    """

    def __init__(
        self,
        instance: Instance,
        access: Access,
        *,
        scale: float = 1.0,
        how: str = "cold",
        host: str = "",
        publish: Callable[[str, dict[str, object]], None] = lambda kind, data: None,
    ) -> None:
        self.instance = instance
        self.access = access
        self.how = how
        self.host = host
        self.console = Console(instance, self.deadline)
        instance.journal.wait_with(self.deadline, instance.incidents)
        self._scale = scale
        self._publish = publish
        self._limit: Deadline | None = None
        self.sessions = Sessions(instance, access, scale=scale, deadline=self.deadline, publish=publish)
        self._channels: dict[str, LineChannel] = {}
        self._waited_for = ""
        self._journal_mark = 0
        self._arrival: Arrival | None = None
        self.unchecked = False
        self.command_was_killed = False
        """True once a command of the test seems to have been ended by a signal, see Completed.killed."""

    # Time

    def deadline(self, seconds: float) -> Deadline:
        """Return a deadline `seconds` from now on this machine's scale, within the running test's limit."""
        scaled = seconds * self._scale
        return self._limit.sub(scaled) if self._limit is not None else Deadline(scaled)

    def limit(self, deadline: Deadline | None) -> None:
        """Set the deadline of the test that holds this machine. No wait of this machine outlasts it."""
        self._limit = deadline

    def poll(
        self,
        probe: Callable[[], T | None],
        *,
        timeout: float,
        step: str,
        interval: float = 0.5,
        last_seen: Callable[[], str] = str,
    ) -> T:
        """Call `probe` every `interval` seconds until it returns something other than None or False.

        Returns that. Raises DeadlineExceeded, which names `step` and the value of `last_seen`.
        """
        return self.deadline(timeout).poll(probe, step=step, interval=interval, last_seen=last_seen)

    # Getting in

    @property
    def directory(self) -> Path:
        return self.instance.directory

    @property
    def journal(self) -> Journal:
        return self.instance.journal

    def channel(self, name: str) -> LineChannel:
        """Return the reader of an additional channel, the same one at each call.

        Raises ConfigError when the machine has no such channel.
        """
        if name not in self._channels:
            log = self.instance.lines(name)
            self._channels[name] = LineChannel(name, log, self.instance.incidents, self.deadline)
        return self._channels[name]

    @property
    def boot_id(self) -> str:
        """The kernel's boot id (random(4)), read when the connection was made."""
        return self.sessions.boot_id

    @property
    def scale(self) -> float:
        """The factor by which this machine's times are multiplied: 1 where guests run at full speed."""
        return self._scale

    def connect(
        self,
        *,
        user: str | None = None,
        key: SshKey | None = None,
        password: str | None = None,
        timeout: float = CONNECT_SECONDS,
    ) -> Session:
        """Open another connection, which the caller closes. With `password`, the login uses it.

        Raises AuthenticationRefused.
        """
        self.arrive()
        connection = self.sessions.open(self.deadline(timeout), user=user, key=key, password=password)
        return Session(connection, self.deadline, self._note)

    def socket_to_sshd(self, timeout: float = CONNECT_SECONDS) -> socket.socket:
        """Return a new TCP connection on which sshd has sent its banner. The caller closes it."""
        self.arrive()
        return self.sessions.socket_to_sshd(self.deadline(timeout))

    @property
    def waited_for_cpu(self) -> float:
        """Seconds for which the guest has waited for a CPU of its host so far."""
        return time.monotonic() - self.instance.clock()

    @property
    def silence(self) -> float:
        """Seconds since the guest's last sign of life on the current connection; 0 without one."""
        return self.sessions.silence

    def wait_reachable(self, timeout: float = BOOT_SECONDS) -> None:
        """Wait until a command has run over SSH. Raises the cause early when that has become impossible."""
        self.sessions.wait_reachable(self.deadline(timeout))

    def wait_resumed(self, arrival: Arrival) -> None:
        """Log in to a guest that continues from a frozen boot.

        The first command of `run` with sudo does what `arrival` says before its own work; anything else is
        preceded by `arrive`. So clock and entropy are right for all that a test does.
        """
        self.sessions.wait_resumed(arrival.boot_id)
        self._journal_mark = self.journal.position
        self._waited_for = arrival.boot_id  # when the template was made
        self._arrival = arrival

    def arrive(self) -> None:
        """Do now what a resumed guest still has to be told; nothing for all others.

        Raises InfrastructureError `clone-mismatch` when it is not the boot that was frozen.
        """
        if self._arrival is not None:
            self.run(":", sudo=True)
            self._journal_mark = self.journal.position

    def drop_connection(self) -> None:
        """Close the current connection; the next command opens another."""
        self.sessions.drop()

    # Running and copying

    def run(
        self,
        command: str | Sequence[str],
        *,
        sudo: bool = False,
        timeout: float = COMMAND_SECONDS,
        input: str | bytes | None = None,
        on_output: Callable[[str], None] | None = None,
    ) -> Completed:
        """Run a shell line, or an argument list, which is quoted. `sudo` runs it as root.

        `on_output` may hear a line of our own as well. Never raises for an exit status: see Completed.check.
        Raises DeadlineExceeded, ConnectionLost, or the incident that ended the machine.
        """
        line = command if isinstance(command, str) else shlex.join(command)
        if not sudo:
            self.arrive()
        arrival, self._arrival = self._arrival, None
        if arrival is not None:
            line = arrival.before(line)
            input = arrival.seed + (input.encode() if isinstance(input, str) else input or b"")
        if sudo:
            line = f"sudo -n -- sh -c {shlex.quote(line)}"
        connection = self.sessions.current()
        try:
            done = connection.run(line, deadline=self.deadline(timeout), input=input, on_output=on_output)
        except MachineFailure as error:
            if error.cause == UNRESPONSIVE:
                error.evidence = self.instance.console.text(10)
            raise
        self._note(done)
        self._publish("command", {"command": line, "status": done.status, "seconds": round(done.seconds, 3)})
        if arrival is not None:
            if logins.not_opened(done):
                raise logins.failure(self.access.user, done, self.journal)
            done = replace(done, stdout=arrival.output(done))
        return done

    def _note(self, done: Completed) -> None:
        self.command_was_killed = self.command_was_killed or done.killed

    def put(self, source: Path, target: str) -> None:
        """Copy a local file to an absolute path at which the login user may write."""
        self.arrive()
        self.sessions.current().put(source, target, deadline=self.deadline(COMMAND_SECONDS))

    def put_bytes(self, data: bytes, target: str, *, mode: int = 0o644) -> None:
        self.arrive()
        self.sessions.current().put_bytes(data, target, mode=mode, deadline=self.deadline(COMMAND_SECONDS))

    def get(self, source: str, target: Path) -> None:
        """Copy a file of the guest to this host."""
        self.arrive()
        self.sessions.current().get(source, target, deadline=self.deadline(COMMAND_SECONDS))

    def get_bytes(self, source: str) -> bytes:
        self.arrive()
        return self.sessions.current().get_bytes(source, deadline=self.deadline(COMMAND_SECONDS))

    def unit(self, name: str) -> Unit:
        return Unit(self, name)

    def file(self, path: str) -> File:
        return File(self, path)

    def wait_for_unit(self, name: str, timeout: float = 60) -> None:
        """Wait until the unit is active. Fails at once when it is `failed`."""
        self.unit(name).wait_active(timeout)

    def wait_for_open_port(self, port: int, timeout: float = 60) -> None:
        """Wait until a process in the guest listens on a TCP port."""
        pattern = f"sport = :{port}"
        self.poll(
            lambda: bool(self.run(["ss", "-Hltn", pattern]).stdout.strip()),
            timeout=timeout,
            step=f"waiting for port {port} to be open",
            interval=0.5,
        )

    def screenshot(self, path: Path | None = None) -> Path:
        """Write a PNG of the graphical display and return its path."""
        target = path or self.directory / "screenshot.png"
        self.instance.screenshot(target)
        return target

    def boot_first(self, device: str) -> None:
        """From the next boot on, have the firmware try this device before all others.

        `device` is a name of the spec's boot order: `primary`, `disk1` …, `medium`, `nic`. Raises ConfigError
        for a device that the machine does not have or cannot boot from.
        """
        self.instance.boot_first(device)

    # Life and death

    def reboot(self, command: str = "systemctl reboot") -> None:
        """Reboot and wait for the new boot, proved by its boot id; then check health.

        Raises CommandFailed when the guest refuses.
        """
        with self.new_boot(), contextlib.suppress(ConnectionLost):  # the answer may be lost on the way down
            answer = self.run(command, sudo=True, timeout=30)
            if answer.status in _REFUSALS:
                raise CommandFailed(answer)

    @contextlib.contextmanager
    def new_boot(self) -> Iterator[Since]:
        """Expect a reboot: the `with` block causes it, and its end waits for the new boot.

        Yields the positions in console and journal at which the old boot ends. A new boot id proves the
        reboot; a health check follows. Raises what wait_reachable and check_health raise.
        """
        before = self.boot_id or self.run(READ_BOOT_ID).check().stdout.strip()
        self._publish("reboot", {"boot_id": before})
        since = Since.now(self.instance)
        yield since
        self.wait_rebooted(before, since)

    def power_cut(self) -> None:
        """Reset the machine as a power cut would, wait for the boot that follows, and check its health.

        Writes that have not reached the disk are lost.
        """
        with self.new_boot():
            self.instance.reset()

    def unplug_path(self, disk: int = 0, path: int = 0) -> None:
        """Remove one path to a multipath disk while the guest runs; disk 0 is the primary one."""
        self.instance.unplug_disk_path(disk, path)

    def wait_rebooted(self, before: str, since: Since) -> None:
        """Wait until a boot other than `before`, begun after `since`, answers; then check health."""
        self.sessions.wait_rebooted(before, since)
        self.check_health()

    def leave_boot(self, since: Since | None = None) -> None:
        """Record that the current boot has ended. wait_reachable then looks only at output after `since`, by
        default after now.
        """
        self.sessions.leave_boot(since or Since.now(self.instance))

    def power_off(self) -> None:
        """Shut down and wait until the hypervisor ends."""
        try:
            self.run("systemctl poweroff", sudo=True, timeout=30)
        except ConnectionLost:
            pass  # the answer may be lost on the way down
        except MachineFailure as error:
            if error.cause != POWERED_OFF:
                raise
        self.drop_connection()
        self.instance.wait_exit(self.deadline(DOWN_SECONDS))

    def close(self) -> None:
        """End the guest at once and release everything it holds."""
        self.drop_connection()
        self.instance.close()

    # Health

    def findings(self) -> list[health.Finding]:
        """Return all problems since the last call. Asks the guest and examines its streams.

        Raises MachineFailure `login-session` when the guest cannot be asked.
        """
        wait = "" if self._waited_for == self.boot_id else health.WAIT_FOR_BOOT
        probed = self.run(wait + health.PROBE, timeout=120)
        if logins.not_opened(probed):
            raise logins.failure(self.access.user, probed, self.journal)
        report = health.Report.parse(probed.stdout)
        if wait and report.still_starting:
            self._publish("notice", {"text": report.still_starting})
        self._waited_for = self.boot_id
        found = report.findings()
        found += health.of_incidents(self.instance.incidents.take())
        mark, self._journal_mark = self._journal_mark, self.journal.position
        found += health.of_journal(self.journal, mark)
        return found

    def check_health(self, opt_out: Collection[str] = (), *, warn_only: bool = False) -> list[health.Finding]:
        """Raise MachineFailure for the first finding not opted out of; return the warnings.

        With `warn_only`, signs on console and in the journal are warnings at most.
        """
        found = [finding for finding in self.findings() if finding.cause not in opt_out]
        lenient = frozenset(pattern.cause for pattern in PATTERNS) if warn_only else frozenset()
        fatal = [finding for finding in found if not finding.warn_only and finding.cause not in lenient]
        if fatal:
            rest = "\n".join(f"{finding.cause}: {finding.message}" for finding in fatal[1:])
            raise MachineFailure(fatal[0].cause, fatal[0].message, evidence=rest or self._why(fatal[0]))
        return found

    def _why(self, finding: health.Finding) -> str:
        """Return the log of the failed unit when the finding is about a unit."""
        if finding.cause not in ("failed-unit", "restart-loop"):
            return ""
        try:
            return self.unit(finding.message.split()[1]).status()
        except HarnessError as error:
            return f"(no status to be had: {error})"

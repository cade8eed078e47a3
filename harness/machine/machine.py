"""A machine under test: the vocabulary tests are written in."""

from __future__ import annotations

import contextlib
import shlex
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.errors import HarnessError, MachineFailure
from harness.machine import health
from harness.machine.badness import PATTERNS
from harness.machine.console import Console
from harness.machine.guest import File, Unit
from harness.machine.instance import Instance
from harness.machine.journal import Journal
from harness.machine.probe import Since, wait_for_banner, wait_for_sshd
from harness.machine.ssh import (
    AuthenticationRefused,
    CommandFailed,
    Completed,
    ConnectionLost,
    SshConnection,
    SshKey,
)
from harness.util.deadline import Deadline

BOOT_SECONDS = 600.0
COMMAND_SECONDS = 300.0
DOWN_SECONDS = 120.0
HOPELESS_SECONDS = 15.0
NOLOGIN_SECONDS = 5.0

# Statuses by which a command says no; higher ones, it may have been killed as the machine goes down.
_REFUSALS = range(1, 126)


@dataclass(frozen=True)
class Access:
    """How the harness gets in: as `user` with `key`, expecting the guest to show `host_key`."""

    user: str
    key: SshKey
    host_key: SshKey | None


class Machine:
    """One running guest. Times are seconds, multiplied by `scale` on slow accelerators.

    `how` says how it came to be: `cold`, `clone`, `first boot from template`. A test that breaks it on
    purpose sets `unchecked`, and no health check follows the test.
    """

    def __init__(
        self,
        instance: Instance,
        access: Access,
        *,
        scale: float = 1.0,
        how: str = "cold",
        publish: Callable[[str, dict[str, object]], None] = lambda kind, data: None,
    ) -> None:
        self.instance = instance
        self.access = access
        self.how = how
        self.console = Console(instance)
        self._scale = scale
        self._publish = publish
        self._limit: Deadline | None = None
        self._connection: SshConnection | None = None
        self._boot_id = ""
        self._since = Since()
        self._journal_mark = 0
        self.unchecked = False

    # Time

    def deadline(self, seconds: float) -> Deadline:
        """`seconds` from now on this machine's scale, within the running test's limit."""
        scaled = seconds * self._scale
        return self._limit.sub(scaled) if self._limit is not None else Deadline(scaled)

    def limit(self, deadline: Deadline | None) -> None:
        """The deadline of the test that holds this machine; nothing here waits beyond it."""
        self._limit = deadline

    # Getting in

    @property
    def directory(self) -> Path:
        return self.instance.directory

    @property
    def journal(self) -> Journal:
        return self.instance.journal

    @property
    def boot_id(self) -> str:
        """The kernel's boot id (random(4)), as read when the connection was made."""
        return self._boot_id

    def connect(
        self,
        *,
        user: str | None = None,
        key: SshKey | None = None,
        password: str | None = None,
        deadline: Deadline | None = None,
    ) -> SshConnection:
        """Another connection, the caller's to close. With `password` that is what is tried.

        Raises AuthenticationRefused.
        """
        limit = deadline or self.deadline(60)
        connected = wait_for_banner(
            self.instance, self._since, deadline=limit, grace=HOPELESS_SECONDS * self._scale
        )
        return SshConnection.open(
            connected,
            user=user or self.access.user,
            key=None if password is not None else key or self.access.key,
            password=password,
            host_key=self.access.host_key,
            incidents=self.instance.incidents,
            deadline=limit,
        )

    def wait_reachable(self, deadline: Deadline | None = None) -> None:
        """Until a command has run over SSH. Ends early with the cause when that can no longer be."""
        limit = deadline or self.deadline(BOOT_SECONDS)
        started = time.monotonic()
        barred: Deadline | None = None
        wait_for_sshd(self.instance, self._since, deadline=limit)
        while True:
            try:
                self._connection = self.connect(deadline=limit)
                self._boot_id = self._connection.run(
                    "cat /proc/sys/kernel/random/boot_id", deadline=limit
                ).stdout.strip()
            except ConnectionLost as error:
                limit.check("waiting for the first SSH command", str(error))
                continue
            except AuthenticationRefused as error:
                # Logins are barred (pam_nologin) until the system is up.
                barred = self.deadline(NOLOGIN_SECONDS) if barred is None else barred
                if barred.expired:
                    raise MachineFailure(
                        "ssh-auth-refused",
                        f"the guest does not take the key Ignition gave {error.user}: {error}",
                        evidence=self.instance.console.text(10),
                    ) from None
                self.instance.incidents.wake.wait(0.5)
                continue
            break
        self._publish("reachable", {"seconds": time.monotonic() - started, "boot_id": self._boot_id})

    def wait_resumed(self, boot_id: str, seed: bytes, now: float) -> None:
        """Until a resumed guest answers; sets its clock to `now` (epoch seconds) and stirs in `seed`.

        Raises MachineFailure `clone-mismatch` when it is not the boot that was frozen.
        """
        limit = self.deadline(BOOT_SECONDS)
        started = time.monotonic()
        self._connection = self.connect(deadline=limit)
        script = (
            "cat /proc/sys/kernel/random/boot_id; sudo -n sh -c 'date -s @{} >/dev/null; cat >/dev/urandom'"
        )
        answer = self._connection.run(script.format(f"{now:.3f}"), deadline=limit, input=seed)
        self._boot_id = answer.stdout.strip()
        if self._boot_id != boot_id:
            raise MachineFailure("clone-mismatch", f"boot id {self._boot_id} instead of {boot_id}")
        self._journal_mark = self.journal.position
        self._publish("reachable", {"seconds": time.monotonic() - started, "boot_id": self._boot_id})

    def _live(self) -> SshConnection:
        if self._connection is None or not self._connection.alive:
            if self._connection is not None:
                self._connection.close()
            self._connection = self.connect(deadline=self.deadline(60))
        return self._connection

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
        """Run a shell line, or an argument list, which is quoted; `sudo` runs it as root.

        Never raises for a status: see Completed.check. Raises DeadlineExceeded, ConnectionLost, or the
        incident that ended the machine.
        """
        line = command if isinstance(command, str) else shlex.join(command)
        if sudo:
            line = f"sudo -n -- sh -c {shlex.quote(line)}"
        done = self._live().run(line, deadline=self.deadline(timeout), input=input, on_output=on_output)
        self._publish("command", {"command": line, "status": done.status, "seconds": round(done.seconds, 3)})
        return done

    def put(self, source: Path, target: str) -> None:
        """Copy a local file to an absolute path that the login user may write."""
        self._live().put(source, target, deadline=self.deadline(COMMAND_SECONDS))

    def put_bytes(self, data: bytes, target: str, *, mode: int = 0o644) -> None:
        self._live().put_bytes(data, target, mode=mode, deadline=self.deadline(COMMAND_SECONDS))

    def get(self, source: str, target: Path) -> None:
        """Copy a guest's file here."""
        self._live().get(source, target, deadline=self.deadline(COMMAND_SECONDS))

    def get_bytes(self, source: str) -> bytes:
        return self._live().get_bytes(source, deadline=self.deadline(COMMAND_SECONDS))

    def unit(self, name: str) -> Unit:
        return Unit(self, name)

    def file(self, path: str) -> File:
        return File(self, path)

    def wait_for_unit(self, name: str, seconds: float = 60) -> None:
        """Until the unit is active; fails at once when it is `failed`."""
        self.unit(name).wait_active(seconds)

    def wait_for_open_port(self, port: int, seconds: float = 60) -> None:
        """Until something in the guest listens on a TCP port."""
        pattern = f"sport = :{port}"
        self.deadline(seconds).poll(
            lambda: bool(self.run(["ss", "-Hltn", pattern]).stdout.strip()),
            step=f"waiting for port {port} to be open",
            interval=0.5,
        )

    def screenshot(self, path: Path | None = None) -> Path:
        """A PNG of the graphical display."""
        target = path or self.directory / "screenshot.png"
        self.instance.screenshot(target)
        return target

    # Life and death

    def reboot(self, command: str = "systemctl reboot") -> None:
        """Reboot and come back: proved by a new boot id, followed by a health check.

        Raises CommandFailed when the guest refuses.
        """
        before = self._boot_id or self.run("cat /proc/sys/kernel/random/boot_id").check().stdout.strip()
        self._publish("reboot", {"boot_id": before})
        since = Since.now(self.instance)
        with contextlib.suppress(ConnectionLost):  # the answer may be lost on the way down
            answer = self.run(command, sudo=True, timeout=30)
            if answer.status in _REFUSALS:
                raise CommandFailed(answer)
        self.wait_rebooted(before, since)

    def wait_rebooted(self, before: str, since: Since) -> None:
        """Until a boot other than `before`, begun after `since`, answers; then a health check."""
        self.leave_boot(since)
        down = self.deadline(DOWN_SECONDS)
        whole = self.deadline(BOOT_SECONDS + DOWN_SECONDS)
        while True:
            self.wait_reachable(whole)
            if self._boot_id != before:
                break
            down.check("waiting for the machine to go down for its reboot", f"boot id still {before}")
            self._wait_disconnected(down)
        self.check_health()

    def leave_boot(self, since: Since) -> None:
        """The boot that was is over: wait_reachable is now about what began after `since`."""
        self._since = since
        self.drop_connection()

    def _wait_disconnected(self, deadline: Deadline) -> None:
        connection = self._live()
        deadline.poll(
            lambda: not connection.alive,
            step="waiting for the machine to go down for its reboot",
            interval=0.2,
            last_seen=lambda: self.instance.console.text(1),
        )
        self.drop_connection()

    def drop_connection(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def power_off(self) -> None:
        """Shut down and wait for the hypervisor to end."""
        with contextlib.suppress(ConnectionLost):
            self.run("systemctl poweroff", sudo=True, timeout=30)
        self.drop_connection()
        self.instance.wait_exit(self.deadline(DOWN_SECONDS))

    def close(self) -> None:
        """End the guest at once and free all it holds."""
        self.drop_connection()
        self.instance.close()

    # Health

    def findings(self) -> list[health.Finding]:
        """Everything not well since the last call; asks the guest and its streams."""
        probe = self.run(health.PROBE, timeout=120)
        found = health.Report.parse(probe.stdout).findings()
        found += health.of_incidents(self.instance.incidents.take())
        mark, self._journal_mark = self._journal_mark, self.journal.position
        found += health.of_journal(self.journal, mark)
        return found

    def check_health(self, opt_out: Collection[str] = (), *, warn_only: bool = False) -> list[health.Finding]:
        """Raise MachineFailure for the first finding not opted out of; return the warnings.

        With `warn_only` what console and journal show is a warning at most.
        """
        found = [finding for finding in self.findings() if finding.name not in opt_out]
        lenient = frozenset(pattern.slug for pattern in PATTERNS) if warn_only else frozenset()
        fatal = [finding for finding in found if not finding.warn_only and finding.name not in lenient]
        if fatal:
            rest = "\n".join(f"{finding.name}: {finding.message}" for finding in fatal[1:])
            raise MachineFailure(fatal[0].name, fatal[0].message, evidence=rest or self._why(fatal[0]))
        return found

    def _why(self, finding: health.Finding) -> str:
        """The failed unit's own words, when it is about one."""
        if finding.name not in ("failed-unit", "restart-loop"):
            return ""
        try:
            return self.unit(finding.message.split()[1]).status()
        except HarnessError as error:
            return f"(no status to be had: {error})"

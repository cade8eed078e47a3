"""Execution of one external test on one machine, reboots included."""

from __future__ import annotations

import shlex
import time
from typing import NoReturn

from harness.errors import DeadlineExceeded, HarnessError, MachineFailure
from harness.machine.heartbeat import UNRESPONSIVE
from harness.machine.incidents import POWERED_OFF, UNASKED_REBOOT
from harness.machine.machine import Machine
from harness.machine.ssh import PATIENCE_SECONDS, Completed, ConnectionLost
from harness.util.deadline import Deadline
from kola.shell.contact import Contact
from kola.shell.culprit import look
from kola.shell.failures import PoweredOff, UnexpectedReboot
from kola.shell.job import ENVIRONMENT_FILE, KOLET, Job, environment_file
from kola.shell.news import LOAD, Ended, RebootAsked, not_started, parse
from kola.shell.payload import payload
from kola.shell.reboot import carry_out

_UNPACK = "umask 022; tar --extract --preserve-permissions --no-overwrite-dir --file=- --directory=/"
_STATE = "cat /proc/sys/kernel/random/boot_id; systemctl is-system-running"
_UNASKED = "the machine went down without being asked to: use /tmp/autopkgtest-reboot"
_POWERED_OFF = "the test powered the machine off"
_LAST_WORDS_SECONDS = 15.0
_LAST_WORDS_SHARE = 0.05
_OVERLOAD = 100.0  # runnable processes, on average over a minute
_SILENT_SECONDS = 20.0  # kolet reports the guest's load every ten


class _Overloaded(HarnessError):
    """Raised when the guest's load suggests that it is lost."""


class Execution:
    """The execution of a test: one SSH command for each boot, which uploads, starts the unit and waits.

    `whole` is the test's time limit. A small part of it is reserved for asking a hanging test for its output.
    """

    def __init__(self, job: Job, machine: Machine, whole: Deadline, *, opt_out: frozenset[str]) -> None:
        self._job = job
        self._machine = machine
        self._whole = whole
        self._opt_out = opt_out
        self._earlier: list[str] = []
        self._since = machine.journal.position
        self._complete: str | None = None
        self._load = ""
        self._overload = _OVERLOAD
        self._load_at = time.monotonic()
        self.unit_status = ""

    def run(self) -> Ended:
        """Run until the test has ended.

        Raises UnexpectedReboot, DeadlineExceeded, or the error that ended the machine.
        """
        limit = Deadline(
            self._whole.remaining - min(_LAST_WORDS_SECONDS, self._whole.remaining * _LAST_WORDS_SHARE)
        )
        self._machine.limit(limit)
        self._machine.instance.incidents.expect(self._opt_out)
        try:
            return self._run()
        except MachineFailure as error:
            if error.cause == POWERED_OFF:
                raise PoweredOff(f"{_POWERED_OFF}: {error.message}") from error
            if error.cause == UNASKED_REBOOT:
                raise UnexpectedReboot(f"{_UNASKED}; {error.message}") from error
            if error.cause == UNRESPONSIVE and self._load:
                error.message += f"; load {self._load}"
            raise
        except DeadlineExceeded as error:
            silence = self._machine.silence
            last = self._last_words()
            if last is None and max(silence, time.monotonic() - self._load_at) > _SILENT_SECONDS:
                raise self._unresponsive(
                    f"when the test's time was up after {limit.elapsed:.0f} s"
                ) from error
            step = f"running {self._job.test.executable.name}"
            raise DeadlineExceeded(step, seconds=limit.elapsed, last_seen=last or str(error)) from error
        finally:
            self._machine.limit(self._whole)
            self._write()

    @property
    def output(self) -> str:
        """The test's complete output; for a lost machine, the part that its journal had sent."""
        if self._complete is not None:
            return self._complete
        entries = self._machine.journal.entries(since=self._since, identifier=self._job.identifier)
        return "".join(f"{entry.message}\n" for entry in entries)

    def _run(self) -> Ended:
        news = self._command(f"{_UNPACK} && exec bash {self._kolet('start')}", payload(self._job))
        while isinstance(news, RebootAsked):
            self._earlier.append(news.output)
            carry_out(self._machine, news, self._opt_out)
            start = f"cat >{ENVIRONMENT_FILE} && exec bash {self._kolet('start')}"
            news = self._command(start, environment_file(news.mark).encode(errors="surrogateescape"))
        self._take(news)
        look(self._machine, news)
        return news

    def _kolet(self, action: str) -> str:
        job = self._job
        return shlex.join([KOLET, "run-unit", action, job.unit, job.identifier, job.reboots])

    def _command(self, line: str, data: bytes) -> Ended | RebootAsked:
        with self._machine.instance.incidents.staying_up():
            return self._converse(line, data)

    def _converse(self, line: str, data: bytes) -> Ended | RebootAsked:
        contact = Contact(self._machine, self._machine.boot_id)
        while True:
            try:
                done = self._machine.run(
                    line, sudo=True, timeout=self._whole.remaining, input=data, on_output=self._hear
                )
                news = parse(done)
                if news is not None:
                    return news
                self._explain(done, contact)
            except ConnectionLost:
                # A test may restart sshd or the network.
                contact.renew(self._whole)
            except _Overloaded:
                self._prove_alive()
            line, data = f"exec bash {self._kolet('watch')}", b""

    def _hear(self, text: str) -> None:
        loads = LOAD.findall(text)
        if not loads:
            return
        self._load, self._load_at = loads[-1], time.monotonic()
        load = float(self._load.split()[0])
        if load > self._overload:
            self._overload = 2 * load
            raise _Overloaded

    def _prove_alive(self) -> None:
        """Start a process in a guest with an absurd load, as after a fork bomb; raise when that fails."""
        limit = self._machine.deadline(PATIENCE_SECONDS)
        try:
            self._machine.run("true", timeout=PATIENCE_SECONDS)
        except DeadlineExceeded as error:
            raise self._unresponsive(f"and started no process for {limit.elapsed:.0f} s") from error

    def _unresponsive(self, when: str) -> MachineFailure:
        load = f"; load {self._load}" if self._load else ""
        return MachineFailure(
            UNRESPONSIVE,
            f"the guest does not answer any more, {when}{load}",
            evidence=self._machine.console.text(10),
        )

    def _explain(self, done: Completed, contact: Contact) -> NoReturn:
        """Raise the reason why kolet ended early: the machine is shutting down, or kolet never ran."""
        state = self._machine.run(_STATE, timeout=60).stdout
        if contact.boot_id not in state or "stopping" in state:
            raise UnexpectedReboot(_UNASKED)
        look(self._machine, None)
        raise not_started(done)

    def _take(self, ended: Ended) -> None:
        """Store the output. A journal kept in memory only has lost the part before the last reboot."""
        earlier = "".join(self._earlier)
        self._complete = ended.output if ended.output.startswith(earlier) else earlier + ended.output
        self.unit_status = "" if ended.passed else ended.unit_status

    def _last_words(self) -> str | None:
        """Return the last line of the test's output; None when the guest does not answer."""
        self._machine.limit(self._whole)
        line = f"exec bash {self._kolet('report')}"
        try:
            news = parse(self._machine.run(line, sudo=True, timeout=self._whole.remaining))
        except HarnessError:
            return None
        if isinstance(news, Ended):
            self._take(news)
            self.unit_status = news.unit_status
            return news.last_line
        return None

    def _write(self) -> None:
        """Write the output beside the machine's other files, under the name that kola's users expect."""
        path = self._machine.directory / f"{self._job.identifier}.txt"
        path.write_text(self.output, encoding="utf-8", errors="replace")

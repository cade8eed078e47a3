"""Running one external test on one machine, reboots included."""

from __future__ import annotations

import shlex
from typing import NoReturn

from harness.errors import DeadlineExceeded, HarnessError, MachineFailure
from harness.machine.incidents import UNASKED_REBOOT
from harness.machine.machine import Machine
from harness.machine.ssh import Completed, ConnectionLost
from harness.util.deadline import Deadline
from kola.external.failures import UnexpectedReboot
from kola.external.job import ENVIRONMENT_FILE, KOLET, Job, environment_file
from kola.external.news import Ended, RebootAsked, not_started, parse
from kola.external.payload import payload
from kola.external.reboot import carry_out

_UNPACK = "umask 022; tar --extract --preserve-permissions --no-overwrite-dir --file=- --directory=/"
_STATE = "cat /proc/sys/kernel/random/boot_id; systemctl is-system-running"
_UNASKED = "the machine went down without being asked to: use /tmp/autopkgtest-reboot"
_LAST_WORDS_SECONDS = 15.0
_LAST_WORDS_SHARE = 0.05


class Execution:
    """One SSH command for each boot: it uploads, starts the unit and returns when there is news.

    `whole` is all the time the test may take; a little of it is kept to ask a test that hangs for its
    last words.
    """

    def __init__(self, job: Job, machine: Machine, whole: Deadline, *, opt_out: frozenset[str]) -> None:
        self._job = job
        self._machine = machine
        self._whole = whole
        self._opt_out = opt_out
        self._earlier: list[str] = []
        self._since = machine.journal.position
        self._complete: str | None = None
        self.unit_status = ""

    def run(self) -> Ended:
        """Until the test has ended. Raises UnexpectedReboot, DeadlineExceeded, or what ended the machine."""
        limit = Deadline(
            self._whole.remaining - min(_LAST_WORDS_SECONDS, self._whole.remaining * _LAST_WORDS_SHARE)
        )
        self._machine.limit(limit)
        self._machine.instance.incidents.expect(self._opt_out)
        try:
            return self._run()
        except MachineFailure as error:
            if error.name != UNASKED_REBOOT:
                raise
            raise UnexpectedReboot(f"{_UNASKED}; {error.message}") from error
        except DeadlineExceeded as error:
            last = self._last_words()
            step = f"running {self._job.test.executable.name}"
            raise DeadlineExceeded(step, seconds=limit.elapsed, last_seen=last or str(error)) from error
        finally:
            self._machine.limit(self._whole)
            self._write()

    @property
    def output(self) -> str:
        """All the test has said: of a machine that is gone, what its journal had sent until then."""
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
        return news

    def _kolet(self, action: str) -> str:
        job = self._job
        return shlex.join([KOLET, "run-unit", action, job.unit, job.identifier, job.reboots])

    def _command(self, line: str, data: bytes) -> Ended | RebootAsked:
        with self._machine.instance.incidents.staying_up():
            return self._converse(line, data)

    def _converse(self, line: str, data: bytes) -> Ended | RebootAsked:
        boot = self._machine.boot_id
        while True:
            try:
                done = self._machine.run(line, sudo=True, timeout=self._whole.remaining, input=data)
            except ConnectionLost:
                self._reconnect(boot)
            else:
                news = parse(done)
                if news is not None:
                    return news
                self._explain(done, boot)
            line, data = f"exec bash {self._kolet('watch')}", b""

    def _reconnect(self, boot: str) -> None:
        """The test may have restarted sshd or the network, that is its right; not the machine."""
        self._machine.drop_connection()
        try:
            self._machine.wait_reachable()
        except MachineFailure as error:
            if error.name not in ("ssh-refused", "no-network"):
                raise
            raise UnexpectedReboot(f"{_UNASKED} ({error.message})") from error
        if self._machine.boot_id != boot:
            raise UnexpectedReboot(_UNASKED)

    def _explain(self, done: Completed, boot: str) -> NoReturn:
        """kolet has not lived to tell: it ends early when the machine goes down around it."""
        try:
            state = self._machine.run(_STATE, timeout=60).stdout
        except ConnectionLost:
            raise UnexpectedReboot(_UNASKED) from None
        if boot not in state or "stopping" in state:
            raise UnexpectedReboot(_UNASKED)
        raise not_started(done)

    def _take(self, ended: Ended) -> None:
        """A journal kept in memory only has lost what was said before the last reboot."""
        earlier = "".join(self._earlier)
        self._complete = ended.output if ended.output.startswith(earlier) else earlier + ended.output
        self.unit_status = "" if ended.passed else ended.unit_status

    def _last_words(self) -> str:
        self._machine.limit(self._whole)
        line = f"exec bash {self._kolet('report')}"
        try:
            news = parse(self._machine.run(line, sudo=True, timeout=self._whole.remaining))
        except HarnessError:
            return ""  # a machine that hangs altogether says nothing more
        if isinstance(news, Ended):
            self._take(news)
            self.unit_status = news.unit_status
            return news.last_line
        return ""

    def _write(self) -> None:
        """Beside the machine's other files, under the name kola's users look for."""
        path = self._machine.directory / f"{self._job.identifier}.txt"
        path.write_text(self.output, errors="replace")

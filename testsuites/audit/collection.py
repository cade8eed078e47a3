"""Records shared by many tests: collected on the first machine of a kind, and read by the other tests."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from harness.machine.machine import Machine
from harness.util.deadline import Deadline
from harness.util.locks import exclusive
from testsuites.audit.configured import Configured
from testsuites.audit.finding import Finding, assert_none
from testsuites.audit.masking import masked_record
from testsuites.audit.proofs import broken_commit, broken_tools
from testsuites.audit.record import Record
from testsuites.audit.states import rebooted, upgraded

_SCRIPT = Path(__file__).with_name("collect.sh")
_COMMITTED = """
commit=$(ostree admin status | sed -n 's/^\\* [^ ]* \\([0-9a-f]*\\)\\..*/\\1/p')
echo '@@ committed'
LC_ALL=C.UTF-8 ostree ls -R -C "$commit" /usr 2>/run/kola-audit-errors
echo '@@ committed-errors'
cat /run/kola-audit-errors
rm /run/kola-audit-errors
"""
"""Takes as long as all the rest, so only those who need it ask for it."""
_SECONDS = 300.0
_WAIT_SECONDS = 1800.0
STATES: dict[str, Callable[[Machine], None] | None] = {
    "first-boot": None,
    "second-boot": rebooted,
    "upgraded": upgraded,
}
"""Preparations of a machine before its record is collected, by state."""


def collect(machine: Machine) -> str:
    """Return the text of the machine's record.

    Raises AssertionError when the guest's shell cannot make one.
    """
    script = _SCRIPT.read_bytes()
    done = machine.run(["sh", "-s", "--", machine.access.user], sudo=True, input=script, timeout=_SECONDS)
    kind, blob = machine.access.key.public.split()[:2]
    return f"@@ access\n{machine.access.user} {kind} {blob}\n{done.stdout}"


def _committed(machine: Machine) -> str:
    return machine.run(["sh", "-c", _COMMITTED], sudo=True, timeout=_SECONDS).stdout


@dataclass(frozen=True)
class Collection:
    """The records of machines in each state, in files of the run, so that all its processes share them."""

    directory: Path
    new_machine: Callable[..., Machine]
    configured: Configured

    def record(self, state: str = "first-boot") -> Record:
        """The record of a machine in this state. Fails when the guest's tools cannot be trusted."""
        record = Record(self._once(state, lambda: collect(self.new_machine(prepare=STATES[state]))))
        assert_none(broken_tools(record))
        return record

    def record_with_commit(self, state: str = "first-boot") -> Record:
        """The record of a machine in this state, and what the build's commit has below /usr."""
        committed = self._once("committed", lambda: _committed(self.new_machine(prepare=None)))
        record = Record(self.record(state).text + committed)
        assert_none(broken_commit(record))
        return record

    def _once(self, name: str, make: Callable[[], str]) -> str:
        """The text of a file of the run, without secrets, made by the first who asks."""
        path = self.directory / f"{name}.txt"
        with exclusive(path.with_suffix(".lock"), deadline=Deadline(_WAIT_SECONDS)):
            if not path.exists():
                fresh = path.with_suffix(".new")
                fresh.write_text(masked_record(make()), encoding="utf-8")
                fresh.replace(path)
        return path.read_text(encoding="utf-8")

    def assert_nothing_new(
        self, state: str, rules: Callable[[Record], list[Finding]], *, with_commit: bool = False
    ) -> None:
        """Fail for each finding on a machine in this state that the first boot does not have."""
        record = self.record_with_commit if with_commit else self.record
        found = set(rules(record(state)))
        if found:
            found -= set(rules(record("first-boot")))
        assert_none(found)

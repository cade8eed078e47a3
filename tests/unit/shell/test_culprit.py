"""The question whether the guest ended a test: its systemd, bound for the emergency shell, or its kernel."""

from __future__ import annotations

import threading
from types import SimpleNamespace
from typing import Any

import pytest

from harness.errors import MachineFailure
from harness.machine.incidents import Incident, Incidents
from harness.machine.ssh import Completed
from harness.util.deadline import Deadline
from kola.shell.culprit import look, memory_ran_out
from kola.shell.news import Ended

STOPPED = Ended(result="success", code=0, status=0, output="", unit_status="")
DEAF = ""
"""The answer of systemctl once the message bus is gone."""


class Guest:
    """A machine with these answers, after which the incident of the emergency `shell` comes, if any."""

    def __init__(self, answers: list[str], *, shell: bool) -> None:
        self._answers = iter(answers)
        self._shell = shell
        self.asked = 0
        self.fatal: MachineFailure | None = None
        self.wake = SimpleNamespace(wait=lambda _seconds: None)
        self.instance = SimpleNamespace(incidents=self)
        self.console = SimpleNamespace(text=lambda _lines: "")

    def run(self, _line: str, *, sudo: bool, timeout: float) -> Completed:
        self.asked += 1
        answer = next(self._answers, None)
        if answer is None:
            self.fatal = MachineFailure("emergency-shell", "the shell") if self._shell else None
            answer = DEAF
        return Completed("ask", 1, answer, "", 0.0)

    def deadline(self, seconds: float) -> Deadline:
        return Deadline(min(seconds, 0.3))

    def latest(self, _cause: str) -> None:
        return None

    def expects(self, _cause: str) -> bool:
        return False

    def check(self, _evidence: Any) -> None:
        if self.fatal is not None:
            raise self.fatal


def test_a_systemd_that_does_not_answer_may_be_on_its_way_to_the_emergency_shell() -> None:
    guest: Any = Guest([DEAF, DEAF], shell=True)
    with pytest.raises(MachineFailure, match="emergency-shell"):
        look(guest, STOPPED)


def test_a_guest_that_stays_up_is_not_waited_for() -> None:
    guest: Any = Guest(["running\n"], shell=True)
    look(guest, STOPPED)
    assert guest.asked == 1


def test_a_systemd_that_never_answers_is_not_accused() -> None:
    guest: Any = Guest([], shell=False)
    look(guest, STOPPED)
    assert guest.asked > 1


@pytest.mark.parametrize("killed", [True, False])
def test_the_kernels_message_may_come_after_the_killed_command_has_answered(killed: bool) -> None:
    """The test's own error does not matter: it may be an assertion about the status of the command."""
    incidents = Incidents()
    guest: Any = SimpleNamespace(
        instance=SimpleNamespace(incidents=incidents),
        command_was_killed=killed,
        deadline=lambda seconds: Deadline(seconds * 20),
    )
    incident = Incident("oom-killer", "oom killer (Killed process 712 (eats-memory))", "journal")
    late = threading.Timer(0.3, incidents.report, [incident])
    late.start()
    found = memory_ran_out(guest)
    late.join()
    assert (found is not None) == killed
    assert found is None or "eats-memory" in str(found)

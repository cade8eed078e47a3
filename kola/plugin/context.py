"""What one running test owns: its machines, its deadline, what went wrong first."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from harness.errors import ConfigError, DeadlineExceeded, HarnessError, InfrastructureError, MachineFailure
from harness.machine.machine import Machine
from harness.machine.spec import MachineSpec
from harness.machine.ssh import ConnectionLost
from harness.services import Services
from harness.util.deadline import Deadline
from kola.model import FailureKind, TestInfo
from kola.plugin.admission import Room
from kola.report.result import TestResult


class TestTimeout(DeadlineExceeded):
    """The whole test took longer than it may."""

    __test__ = False


@dataclass
class TestContext:
    """Made anew for each attempt at a test."""

    __test__ = False

    info: TestInfo
    directory: Path
    deadline: Deadline
    publish: Callable[..., None]
    machines: list[Machine] = field(default_factory=list)
    services: Services | None = None
    kind: FailureKind | None = None
    cause: str = ""
    failure: str = ""
    warnings: list[str] = field(default_factory=list)
    skip_reason: str = ""
    own_output: str = ""
    in_phase: bool = False
    timeout: TestTimeout | None = None
    subtests: list[TestResult] = field(default_factory=list)
    room: Room | None = None

    def started(self, machine: Machine) -> None:
        self.machines.append(machine)

    def make_room(self, spec: MachineSpec) -> None:
        """See that one more machine fits into what the test was promised, or into the host."""
        if self.room is not None:
            self.room.make(self.machines, spec)

    def blame(self, error: BaseException) -> None:
        """Remember the first failure; what follows is mostly its consequence."""
        if self.kind is None:
            self.kind, self.cause = classify(error)
            text = str(error) or type(error).__name__
            self.failure = text if isinstance(error, HarnessError) else text.partition("\n")[0]

    def close_machines(self) -> None:
        for machine in reversed(self.machines):
            machine.close()
            self.publish("machine-stop", machine=machine.directory.name)


def classify(error: BaseException) -> tuple[FailureKind, str]:
    """Who has to act, and the short stable name of what happened."""
    match error:
        case ConfigError():
            return FailureKind.CONFIG, "config"
        case InfrastructureError():
            return FailureKind.INFRASTRUCTURE, error.cause
        case MachineFailure():
            return FailureKind.GUEST, error.name
        case TestTimeout():
            return FailureKind.TIMEOUT, "test-timeout"
        case DeadlineExceeded():
            return FailureKind.TIMEOUT, "timeout"
        case ConnectionLost():
            return FailureKind.GUEST, "connection-lost"
        case AssertionError():
            return FailureKind.TEST, "assertion"
        case HarnessError():
            return FailureKind.TEST, _slug(error)
        case _:
            return FailureKind.TEST, _slug(error)


def _slug(error: BaseException) -> str:
    name = type(error).__name__
    return "".join(f"-{letter.lower()}" if letter.isupper() else letter for letter in name).lstrip("-")

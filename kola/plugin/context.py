"""The state of one running test: its machines, its deadline, its first failure."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from harness.errors import ConfigError, DeadlineExceeded, HarnessError, InfrastructureError, MachineFailure
from harness.machine.machine import Machine
from harness.machine.spec import MachineSpec
from harness.machine.ssh import ConnectionLost
from harness.services import Services
from harness.util.deadline import Deadline
from kola.cases.model import FailureKind, TestInfo
from kola.keep.record import Kept
from kola.plugin.reservations import Reservation
from kola.report.result import TestResult

_NOTABLE = 0.2
"""The share of a test's time for which its machine waits for a CPU, from which on a time-out mentions it."""


class TestTimeout(DeadlineExceeded):
    """Raised when a test exceeds its time limit."""

    __test__ = False


@dataclass
class TestContext:
    """The context of one attempt at a test.

    A warning makes a pass a WARN; a remark is only shown with the pass. `owned` is what the machines are
    connected to, and is closed after them. `host` is the name of the machines' host, if hosts have names.
    """

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
    remarks: list[str] = field(default_factory=list)
    skip_reason: str = ""
    own_output: str = ""
    in_phase: bool = False
    timeout: TestTimeout | None = None
    subtests: list[TestResult] = field(default_factory=list)
    reservation: Reservation | None = None
    host: str = ""
    kept: list[Kept] = field(default_factory=list)
    machines_kept: list[Machine] = field(default_factory=list)
    owned: ExitStack = field(default_factory=ExitStack)

    def started(self, machine: Machine) -> None:
        self.machines.append(machine)

    def reserve_machine(self, spec: MachineSpec) -> None:
        """Reserve one more machine, within the test's reservation or from the host."""
        if self.reservation is not None:
            self.reservation.make(self.machines, spec)

    def record_failure(self, error: BaseException) -> None:
        """Record the first failure; later ones are mostly its consequences."""
        if self.kind is None:
            self.kind, self.cause = classify(error)
            text = str(error) or type(error).__name__
            self.failure = text if isinstance(error, HarnessError) else text.partition("\n")[0]
            if self.kind is FailureKind.TIMEOUT:
                self.failure += self._busy_host()

    def _busy_host(self) -> str:
        """Return a line for a failure by time-out, when this host often did not run the guest."""
        waited = max((machine.waited_for_cpu for machine in self.machines), default=0.0)
        if waited < _NOTABLE * self.deadline.elapsed:
            return ""
        return f"\nthis host was busy: the machine waited {waited:.0f} s for a CPU"

    def close_machines(self) -> None:
        """End the machines that are not kept, then what they were connected to."""
        for machine in reversed(self.machines):
            if machine not in self.machines_kept:
                machine.close()
                self.publish("machine-stop", machine=machine.directory.name)
        self.owned.close()


def classify(error: BaseException) -> tuple[FailureKind, str]:
    """Return the party that has to act, and the stable name of the cause."""
    match error:
        case ConfigError():
            return FailureKind.CONFIG, "config"
        case InfrastructureError():
            return FailureKind.INFRASTRUCTURE, error.cause
        case MachineFailure():
            return FailureKind.GUEST, error.cause
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

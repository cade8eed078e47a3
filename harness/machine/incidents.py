"""What went wrong with a machine while somebody may have been waiting for it."""

from __future__ import annotations

import threading
from collections.abc import Collection
from dataclasses import dataclass

from harness.errors import HarnessError, InfrastructureError, MachineFailure


@dataclass(frozen=True)
class Incident:
    """One thing seen on a console, a journal, or of QEMU itself.

    A `fatal` one means the guest will never answer again. `name` is stable: tests opt out by it.
    """

    name: str
    message: str
    source: str
    fatal: bool = False
    warn_only: bool = False
    infrastructure: bool = False

    def error(self, evidence: str = "") -> HarnessError:
        if self.infrastructure:
            return InfrastructureError(self.message, cause=self.name, evidence=evidence)
        return MachineFailure(self.name, f"{self.message} ({self.source})", evidence=evidence)


class Incidents:
    """The incidents of one machine: reported by its threads, read by whoever waits.

    `wake` is set whenever a fatal incident arrives.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._all: list[Incident] = []
        self._fatal: Incident | None = None
        self._expected: frozenset[str] = frozenset()
        self.wake = threading.Event()

    def expect(self, names: Collection[str]) -> None:
        """A test brings incidents of these names about on purpose: none of them ends the machine."""
        with self._lock:
            self._expected = frozenset(names)

    def report(self, incident: Incident) -> None:
        with self._lock:
            fatal = incident.fatal and incident.name not in self._expected
            self._all.append(incident)
            if fatal and self._fatal is None:
                self._fatal = incident
        if fatal:
            self.wake.set()

    @property
    def fatal(self) -> Incident | None:
        """The first incident that ended the machine."""
        with self._lock:
            return self._fatal

    def take(self) -> list[Incident]:
        """All incidents since the last call, oldest first."""
        with self._lock:
            taken, self._all = self._all, []
            return taken

"""What went wrong with a machine while somebody may have been waiting for it."""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from harness.errors import HarnessError, InfrastructureError, MachineFailure

UNASKED_REBOOT = "unasked-reboot"


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
        self._departures = 0
        self._staying_up = False
        self.wake = threading.Event()

    def expect(self, names: Collection[str]) -> None:
        """A test brings incidents of these names about on purpose: none of them ends the machine."""
        with self._lock:
            self._expected = frozenset(names)

    def depart(self, sign: str, source: str) -> None:
        """The guest leaves the boot it is in, as `sign` of `source` shows. Once a boot or more often."""
        with self._lock:
            self._departures += 1
            forbidden = self._staying_up
        if forbidden:
            self.report(Incident(UNASKED_REBOOT, sign, source, fatal=True))

    @property
    def departures(self) -> int:
        """How many signs there were that the guest leaves a boot."""
        with self._lock:
            return self._departures

    @contextmanager
    def staying_up(self) -> Iterator[None]:
        """While inside, nobody has asked for a reboot: one is fatal, whoever waits is told at once."""
        self._staying_up = True
        try:
            yield
        finally:
            self._staying_up = False

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

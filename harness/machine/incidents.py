"""Problems of a machine that were noticed while something may have been waiting for it."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from harness.errors import HarnessError, InfrastructureError, MachineFailure

UNASKED_REBOOT = "unasked-reboot"
POWERED_OFF = "powered-off"
HOST_LOST = "host-lost"
"""The machines' host, or the daemon that runs them there, no longer answers."""
HOST_FULL = "host-full"
"""Others have started machines on the host meanwhile, and there is no memory left for this one."""

# logind's message for a shutdown without a reboot (systemd: src/login/logind-dbus.c).
_OFF = re.compile(r"power(?:ing)? (?:off|down)")


@dataclass(frozen=True)
class Incident:
    """A problem seen on a console, in a journal, or in QEMU itself.

    After a `fatal` incident the guest will never answer again. `cause` is stable: tests opt out by it.
    """

    cause: str
    message: str
    source: str
    fatal: bool = False
    warn_only: bool = False
    infrastructure: bool = False

    def error(self, evidence: str = "") -> HarnessError:
        if self.infrastructure:
            return InfrastructureError(self.message, cause=self.cause, evidence=evidence)
        return MachineFailure(self.cause, f"{self.message} ({self.source})", evidence=evidence)


class Incidents:
    """The incidents of one machine, reported by its threads and read by waiting code.

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

    def expect(self, causes: Collection[str]) -> None:
        """Declare incidents of these causes as intended by the test: none of them ends the machine."""
        with self._lock:
            self._expected = frozenset(causes)

    def expects(self, cause: str) -> bool:
        """Return True when the test declared incidents of this name as intended."""
        with self._lock:
            return cause in self._expected

    def depart(self, sign: str, source: str) -> None:
        """Record that the guest is leaving the current boot, as `sign` in `source` shows.

        May be called several times per boot.
        """
        with self._lock:
            self._departures += 1
            forbidden = self._staying_up
        if forbidden:
            cause = POWERED_OFF if _OFF.search(sign) else UNASKED_REBOOT
            self.report(Incident(cause, sign, source, fatal=True))

    def power_off(self, source: str) -> None:
        """Report that the guest switched its machine off. It will never answer again, by its own doing."""
        self.report(Incident(POWERED_OFF, "the guest switched the machine off", source, fatal=True))

    @property
    def departures(self) -> int:
        """Number of signs so far that the guest is leaving a boot."""
        with self._lock:
            return self._departures

    @contextmanager
    def staying_up(self) -> Iterator[None]:
        """Context in which nobody has requested a reboot: a reboot is a fatal incident there."""
        self._staying_up = True
        try:
            yield
        finally:
            self._staying_up = False

    def report(self, incident: Incident) -> None:
        with self._lock:
            fatal = incident.fatal and incident.cause not in self._expected
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

    def latest(self, cause: str) -> Incident | None:
        """Return the newest incident of this cause since the last `take`, or None."""
        with self._lock:
            return next((incident for incident in reversed(self._all) if incident.cause == cause), None)

    def check(self, evidence: Callable[[], str] = str) -> None:
        """Raise the incident that ended the machine, if any. `evidence` returns text for its message."""
        fatal = self.fatal
        if fatal is not None:
            raise fatal.error(evidence()) from None

    def take(self) -> list[Incident]:
        """Return and forget all incidents since the last call, oldest first."""
        with self._lock:
            taken, self._all = self._all, []
            return taken

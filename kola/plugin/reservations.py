"""The worker's side of scheduling: a test starts only once its need is met."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from harness.errors import DeadlineExceeded, InfrastructureError
from harness.machine.machine import Machine
from harness.machine.spec import MachineSpec
from harness.util.deadline import Deadline
from kola.schedule.need import Need
from kola.schedule.resources import MachineHost, Resources
from kola.schedule.waiting import WaitingList

_LOOK_AGAIN = 0.2
_SHORT_PATIENCE = 2.0
_LONG_PATIENCE = 86400.0
_MORE_PATIENCE = 30.0

NO_ROOM = "no-room"
"""The cause of tests whose need could not be met."""


class Reservations:
    """The reservations of one worker.

    `scheduler` is the id of the process that has reserved for its tests; 0 when none has.
    """

    def __init__(self, host: MachineHost, *, scheduler: int) -> None:
        self._scheduled = bool(scheduler)
        self._resources = Resources(host, owner=scheduler)

    @contextmanager
    def reserve(self, nodeid: str, need: Need) -> Iterator[Reservation]:
        """Context in which the test's need is met, or a reservation that holds the reason why it is not."""
        reservation = Reservation(self._resources, nodeid, need)
        try:
            reservation.refused = self._refused(nodeid, need)
            yield reservation
        finally:
            reservation.close()

    def close(self) -> None:
        self._resources.close()

    def _refused(self, nodeid: str, need: Need) -> str:
        never = self._resources.never(need)
        if never or not need or (self._scheduled and self._resources.promised(nodeid)):
            return never
        waiting = WaitingList(self._resources)
        # When a scheduler has waited already, waiting again is useless.
        limit = Deadline(_SHORT_PATIENCE if self._scheduled else _LONG_PATIENCE)
        try:
            return limit.poll(lambda: waiting.request(nodeid, need), step="waiting", interval=_LOOK_AGAIN)
        except DeadlineExceeded:
            return waiting.reason


class Reservation:
    """The reservation of one test. It grows when the test leases more machines than it announced."""

    def __init__(self, resources: Resources, nodeid: str, granted: Need) -> None:
        self._resources = resources
        self._labels = [nodeid]
        self._granted = granted
        self.refused = ""

    def make(self, running: Iterable[Machine], spec: MachineSpec) -> None:
        """Reserve memory and CPUs for one more machine.

        Raises InfrastructureError `no-room` after half a minute, because two tests that wait for each other's
        memory must not wait for ever.
        """
        wanted = Need.of(spec)
        for machine in running:
            if machine.instance.running:
                wanted = wanted.plus(Need.of(machine.instance.spec))
        more = wanted.beyond(self._granted)
        if not more:
            return
        label = f"{self._labels[0]} (machine {len(self._labels) + 1})"
        waiting = WaitingList(self._resources)
        try:
            why = self._resources.never(self._granted.plus(more)) or Deadline(_MORE_PATIENCE).poll(
                lambda: waiting.request(label, more), step="waiting", interval=_LOOK_AGAIN
            )
        except DeadlineExceeded:
            why = waiting.reason
        if why:
            raise InfrastructureError(
                f"no room for one more machine: {why}; with @pytest.mark.machine(count=…) "
                "the test starts when there is room for all it will have",
                cause=NO_ROOM,
            )
        self._labels.append(label)
        self._granted = self._granted.plus(more)

    def close(self) -> None:
        for label in self._labels:
            self._resources.release(label)

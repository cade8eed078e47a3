"""The worker's side of scheduling: a test starts only once its need is met."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

from harness.errors import DeadlineExceeded, InfrastructureError
from harness.machine.incidents import HOST_LOST
from harness.machine.machine import Machine
from harness.machine.spec import MachineSpec
from harness.platform.fleet import Fleet
from harness.util.deadline import Deadline
from kola.schedule.need import Need
from kola.schedule.resources import Resources
from kola.schedule.waiting import WaitingList

_LOOK_AGAIN = 0.2
_SHORT_PATIENCE = 2.0
_LONG_PATIENCE = 86400.0
_MORE_PATIENCE = 30.0
_MOVE_PATIENCE = 120.0

NO_ROOM = "no-room"
"""The cause of tests whose need could not be met."""


class Reservations:
    """The reservations of one worker.

    `scheduler` is the id of the process that has reserved for its tests; 0 when none has.
    """

    def __init__(self, fleet: Fleet, *, scheduler: int) -> None:
        self._scheduled = bool(scheduler)
        self._fleet = fleet
        self._resources = Resources(fleet, owner=scheduler)

    @contextmanager
    def reserve(
        self, nodeid: str, need: Need, avoid: Callable[[], frozenset[str]] = frozenset
    ) -> Iterator[Reservation]:
        """Context in which the test's need is met, or a reservation that holds the reason why it is not.

        `avoid` returns the keys of hosts that are not for this test. It may have to ask them.
        """
        reservation = Reservation(self._resources, self._fleet, nodeid, need, avoid)
        try:
            reservation.refused = self._refused(nodeid, need, avoid)
            if not reservation.refused and need:
                reservation.host = self._resources.host_of(nodeid)
            yield reservation
        finally:
            reservation.close()

    def close(self) -> None:
        self._resources.close()

    def _refused(self, nodeid: str, need: Need, avoid: Callable[[], frozenset[str]]) -> str:
        if self._scheduled and need and self._resources.host_of(nodeid) is not None:
            return ""
        never = self._resources.never(need)
        if never or not need:
            return never
        waiting, refusing = WaitingList(self._resources), avoid()
        # When a scheduler has waited already, waiting again is useless.
        limit = Deadline(_SHORT_PATIENCE if self._scheduled else _LONG_PATIENCE)
        try:
            return limit.poll(
                lambda: waiting.over or waiting.request(nodeid, need, refusing),
                step="waiting",
                interval=_LOOK_AGAIN,
            )
        except DeadlineExceeded:
            return waiting.reason


class Reservation:
    """The reservation of one test, on one host. It grows when the test leases more machines than it
    announced.
    """

    def __init__(
        self,
        resources: Resources,
        fleet: Fleet,
        nodeid: str,
        granted: Need,
        avoid: Callable[[], frozenset[str]],
    ) -> None:
        self._resources = resources
        self._fleet = fleet
        self._labels = [nodeid]
        self._announced = granted
        self._granted = granted
        self._avoid = avoid
        self.host: str | None = None
        """The key of the host; None for a test without machines."""
        self.refused = ""
        self.cause = NO_ROOM
        """The cause when it is refused."""

    def move(self, cause: str) -> None:
        """Reserve on another host, or on the same one when it is back, or has room again.

        `cause` says why the test must leave its host.
        """
        if self.host is None:
            return
        if cause == HOST_LOST:
            lost = self._fleet.member(self.host)
            self._fleet.lose(lost, lost.platform.lost or "it does not answer")
        label = f"{self._labels[0]} (again)"
        waiting, refusing = WaitingList(self._resources), self._avoid()
        try:
            # A lost host is not granted until it is back, a full one not until it has room.
            why = Deadline(_MOVE_PATIENCE).poll(
                lambda: waiting.over or waiting.request(label, self._announced, refusing),
                step="waiting",
                interval=_LOOK_AGAIN,
            )
        except DeadlineExceeded:
            why = waiting.reason
        if why:
            self.refused, self.cause = why, cause
            return
        self._labels.append(label)
        self._granted = self._announced
        self.host = self._resources.host_of(label)

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
        others = frozenset(m.key for m in self._fleet.members if self.host is not None and m.key != self.host)
        try:
            why = self._resources.never(self._granted.plus(more)) or Deadline(_MORE_PATIENCE).poll(
                lambda: waiting.request(label, more, others), step="waiting", interval=_LOOK_AGAIN
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

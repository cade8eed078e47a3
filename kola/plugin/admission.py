"""The worker's side of the scheduler's promises: that a test has what it needs before it starts."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from harness.errors import DeadlineExceeded, InfrastructureError
from harness.machine.machine import Machine
from harness.machine.spec import MachineSpec
from harness.util.deadline import Deadline
from kola.schedule.gate import Gate
from kola.schedule.need import Need
from kola.schedule.resources import Resources

_LOOK_AGAIN = 0.2
_SHORT_PATIENCE = 2.0
_LONG_PATIENCE = 86400.0
_MORE_PATIENCE = 30.0

NO_ROOM = "no-room"
"""The cause of tests that did not get what they need."""


class Admission:
    """`scheduled` is whether another process, our parent, has been promised what tests need."""

    def __init__(self, *, scheduled: bool) -> None:
        self._scheduled = scheduled
        self._resources = Resources(owner=os.getppid() if scheduled else 0)

    @contextmanager
    def admit(self, nodeid: str, need: Need) -> Iterator[Room]:
        """Inside, the test has what it needs, or a room that says why not."""
        room = Room(self._resources, nodeid, need)
        try:
            room.refused = self._refused(nodeid, need)
            yield room
        finally:
            room.close()

    def close(self) -> None:
        self._resources.close()

    def _refused(self, nodeid: str, need: Need) -> str:
        never = self._resources.never(need)
        if never or not need or (self._scheduled and self._resources.promised(nodeid)):
            return never
        gate = Gate(self._resources)
        # Where a scheduler has waited already, it has given up.
        limit = Deadline(_SHORT_PATIENCE if self._scheduled else _LONG_PATIENCE)
        try:
            return limit.poll(lambda: gate.ask(nodeid, need), step="waiting", interval=_LOOK_AGAIN)
        except DeadlineExceeded:
            return gate.reason


class Room:
    """What one test has been promised; more is asked for when it leases more machines than it announced."""

    def __init__(self, resources: Resources, nodeid: str, granted: Need) -> None:
        self._resources = resources
        self._labels = [nodeid]
        self._granted = granted
        self.refused = ""

    def make(self, running: Iterable[Machine], spec: MachineSpec) -> None:
        """For one more machine. InfrastructureError `no-room` when it cannot be had within half a minute:
        two tests that wait for each other's memory must not wait for ever.
        """
        wanted = Need.of(spec)
        for machine in running:
            if machine.instance.running:
                wanted = wanted.plus(Need.of(machine.instance.spec))
        more = wanted.beyond(self._granted)
        if not more:
            return
        label = f"{self._labels[0]} (machine {len(self._labels) + 1})"
        gate = Gate(self._resources)
        try:
            why = self._resources.never(self._granted.plus(more)) or Deadline(_MORE_PATIENCE).poll(
                lambda: gate.ask(label, more), step="waiting", interval=_LOOK_AGAIN
            )
        except DeadlineExceeded:
            why = gate.reason
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

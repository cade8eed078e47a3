"""The state of a process that runs tests, kept until it ends."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property

from harness.platform.base import Platform
from harness.platform.choose import choose_fleet
from harness.platform.fleet import Fleet, Member
from harness.util.deadline import Deadline
from kola.cases.model import TestInfo
from kola.machines import MachinePool
from kola.plugin.context import TestContext
from kola.plugin.keeping import FailedMachines
from kola.plugin.reservations import Reservation, Reservations
from kola.report.events import EventLog
from kola.report.layout import EVENTS_FILE, directory_of_test
from kola.run.plan import RunPlan


class WorkerState:
    """The state of one pytest process.

    `scheduler` is the id of the process that schedules its tests, if another one does, else 0.
    """

    def __init__(self, plan: RunPlan, *, scheduler: int) -> None:
        self.plan = plan
        self.reservations = Reservations(self.fleet, scheduler=scheduler)
        self._host: Member | None = None
        self._pools: dict[str, MachinePool] = {}
        self.events = EventLog(plan.output / EVENTS_FILE)

    @cached_property
    def fleet(self) -> Fleet:
        plan = self.plan
        made = choose_fleet(plan.platform, plan.arch, plan.hosts, network=plan.libvirt_network)
        made.watch()  # what a test has left on a lost host is removed as soon as the host is back
        return made

    def use(self, key: str | None) -> None:
        """Have the machines of the next attempt at a test on the host of this key; None: on any."""
        self._host = None if key is None else self.fleet.member(key)

    @property
    def host(self) -> Member:
        """The host of the running test's machines."""
        return self._host or self.fleet.first

    @property
    def platform(self) -> Platform:
        """The platform of that host."""
        return self.host.platform

    @property
    def pool(self) -> MachinePool:
        """The machines of that host."""
        host = self.host
        if host.key not in self._pools:
            self._pools[host.key] = MachinePool(self.plan, host.platform, host=host.name)
        return self._pools[host.key]

    def seconds(self, info: TestInfo) -> float:
        """Return the test's time limit in seconds, on the accelerator's scale."""
        minutes = info.minutes if info.minutes is not None else self.plan.minutes
        return minutes * 60 * self.pool.scale * (1 + self.plan.extend / 100)

    def context(self, info: TestInfo, reservation: Reservation) -> TestContext:
        directory = self.plan.output / directory_of_test(info.name)
        directory.mkdir(parents=True, exist_ok=True)
        return TestContext(
            info=info,
            directory=directory,
            deadline=Deadline(self.seconds(info)),
            publish=self._publisher(info.name),
            reservation=reservation,
            host=self.host.name if reservation.host is not None else "",
        )

    def _publisher(self, test: str) -> Callable[..., None]:
        def publish(kind: str, *, machine: str = "", **data: object) -> None:
            self.events.emit(kind, test=test, machine=machine, **data)

        return publish

    @cached_property
    def failed_machines(self) -> FailedMachines:
        return FailedMachines(self.plan, self.fleet)

    def close(self) -> None:
        self.events.close()
        self.fleet.close()
        self.reservations.close()

"""What a process that runs tests holds for as long as it lives."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property

from harness.platform.qemu.platform import QemuPlatform
from harness.util.deadline import Deadline
from kola.machines import Lessor
from kola.model import TestInfo
from kola.plugin.admission import Admission, Room
from kola.plugin.context import TestContext
from kola.report.events import EventLog
from kola.report.layout import EVENTS_FILE, directory_of_test
from kola.run.plan import RunPlan


class WorkerState:
    """One per pytest process. `scheduled` where another process decides which test starts when."""

    def __init__(self, plan: RunPlan, *, scheduled: bool) -> None:
        self.plan = plan
        self.admission = Admission(scheduled=scheduled)
        self.events = EventLog(plan.output / EVENTS_FILE)

    @cached_property
    def lessor(self) -> Lessor:
        return Lessor(self.plan, QemuPlatform(self.plan.arch))

    def seconds(self, info: TestInfo) -> float:
        """What a test may take, on the scale of the accelerator."""
        minutes = info.minutes if info.minutes is not None else self.plan.minutes
        return minutes * 60 * self.lessor.scale * (1 + self.plan.extend / 100)

    def context(self, info: TestInfo, room: Room) -> TestContext:
        directory = self.plan.output / directory_of_test(info.name)
        directory.mkdir(parents=True, exist_ok=True)
        return TestContext(
            info=info,
            directory=directory,
            deadline=Deadline(self.seconds(info)),
            publish=self._publisher(info.name),
            room=room,
        )

    def _publisher(self, test: str) -> Callable[..., None]:
        def publish(kind: str, *, machine: str = "", **data: object) -> None:
            self.events.emit(kind, test=test, machine=machine, **data)

        return publish

    def close(self) -> None:
        self.events.close()
        self.admission.close()

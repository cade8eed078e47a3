"""Gives machines to tests, each in a directory of its own."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Collection
from pathlib import Path

from harness.errors import InfrastructureError
from harness.ignition import IgnitionConfig, additions
from harness.machine.machine import Machine
from harness.platform.base import Platform
from harness.util.deadline import Deadline
from kola.machines.request import MachineRequest
from kola.run.plan import RunPlan

Publish = Callable[..., None]
ATTEMPTS = 2


class Lessor:
    """Boots, or clones, what is asked for. One per process."""

    def __init__(self, plan: RunPlan, platform: Platform) -> None:
        self._plan = plan
        self._platform = platform
        self._appended = [IgnitionConfig.parse(text) for text in plan.ignition]

    @property
    def scale(self) -> float:
        return self._platform.scale

    def config(self, own: IgnitionConfig | None) -> IgnitionConfig:
        """A test's config with the run's and the harness's additions merged over it."""
        access = self._plan.access
        base = own or IgnitionConfig.empty()
        parts = [*self._appended, additions.ssh_access(access.user, access.key.public)]
        if access.host_key is not None:
            parts.append(additions.host_key(access.host_key.private, access.host_key.public))
        parts.append(additions.journal_stream())
        parts += [additions.debug_systemd_unit(unit) for unit in self._plan.debug_units]
        return base.merge(*parts)

    def lease(
        self,
        request: MachineRequest,
        *,
        directory: Path,
        deadline: Deadline | None,
        publish: Publish,
        started: Callable[[Machine], None],
    ) -> Machine:
        """A machine that answers and is well, after at most ATTEMPTS tries at getting one.

        `started` is told of each machine as soon as it exists, so that it can be closed and its
        directory reported whatever happens next.
        """
        for attempt in range(1, ATTEMPTS + 1):
            try:
                return self._boot(request, directory, deadline, publish, started)
            except InfrastructureError as error:
                if attempt == ATTEMPTS:
                    raise
                publish("notice", text=f"no machine ({error.message}); trying once more")
        raise AssertionError("unreachable")

    def start(
        self,
        request: MachineRequest,
        *,
        directory: Path,
        deadline: Deadline | None,
        publish: Publish,
        started: Callable[[Machine], None],
    ) -> Machine:
        """Power a machine on and hand it over at once, booting or failing as it may."""
        home = directory / str(uuid.uuid4())
        limit = deadline or Deadline(600 * self.scale)
        instance = self._platform.launch(
            request.spec, self.config(request.ignition), directory=home, deadline=limit
        )
        machine = Machine(
            instance,
            self._plan.access,
            scale=self.scale,
            how="cold",
            publish=lambda kind, data: publish(kind, machine=home.name, **data),
        )
        machine.limit(deadline)
        publish("machine-start", machine=home.name, how=machine.how)
        started(machine)
        return machine

    def _boot(
        self,
        request: MachineRequest,
        directory: Path,
        deadline: Deadline | None,
        publish: Publish,
        started: Callable[[Machine], None],
    ) -> Machine:
        machine = self.start(
            request, directory=directory, deadline=deadline, publish=publish, started=started
        )
        machine.wait_reachable()
        machine.check_health(self.opt_out(request))
        publish("machine-ready", machine=machine.directory.name)
        return machine

    def opt_out(self, request: MachineRequest) -> Collection[str]:
        return request.opt_out

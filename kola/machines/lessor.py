"""Gives machines to tests, each in a directory of its own."""

from __future__ import annotations

import os
import time
import uuid
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from harness.errors import DeadlineExceeded, HarnessError, InfrastructureError, MachineFailure
from harness.ignition import IgnitionConfig, additions
from harness.machine.instance import Instance
from harness.machine.machine import BOOT_SECONDS, Access, Machine
from harness.machine.spec import NOTHING_REACHABLE, Reachable
from harness.platform.qemu.frozen import obstacle
from harness.platform.qemu.platform import QemuPlatform
from harness.platform.qemu.template import PADDED, Recipe, Stage, Template
from harness.util.deadline import Deadline
from kola.machines.broken import BrokenBoots
from kola.machines.request import MachineRequest
from kola.run.plan import RunPlan

ATTEMPTS = 2


class Tenant(Protocol):
    """For whom a machine is: where its files go, until when it may be waited for, who is told of it."""

    @property
    def directory(self) -> Path: ...

    @property
    def deadline(self) -> Deadline | None: ...

    @property
    def publish(self) -> Callable[..., None]: ...

    def started(self, machine: Machine) -> None:
        """Told of each machine as soon as it exists, so that it can be closed whatever happens next."""
        ...


class Lessor:
    """Boots, or clones, what is asked for. One per process."""

    def __init__(self, plan: RunPlan, platform: QemuPlatform) -> None:
        self._plan = plan
        self._platform = platform
        self._hopeless: set[str] = set()
        self._broken = BrokenBoots(plan.output / ".broken-boots")
        self._appended = [IgnitionConfig.parse(text) for text in plan.ignition]

    @property
    def scale(self) -> float:
        return self._platform.scale

    def config(
        self,
        own: IgnitionConfig | None,
        access: Access | None = None,
        reachable: Reachable = NOTHING_REACHABLE,
    ) -> IgnitionConfig:
        """A test's config with the run's and the harness's additions merged over it."""
        access = access or self._plan.access
        base = own or IgnitionConfig.empty()
        parts = [*self._appended, additions.ssh_access(access.user, access.key.public)]
        if access.host_key is not None:
            parts.append(additions.host_key(access.host_key.private, access.host_key.public))
        parts.append(additions.journal_stream())
        if reachable.hosts:
            parts.append(additions.host_names(reachable.hosts))
        parts += [additions.debug_systemd_unit(unit) for unit in self._plan.debug_units]
        return base.merge(*parts)

    def lease(self, request: MachineRequest, tenant: Tenant) -> Machine:
        """A machine that answers and is well, after at most ATTEMPTS tries at getting one.

        One whose like failed to boot twice in this run is not tried again.
        """
        kind = self._kind(request)
        self._broken.check(kind, self.opt_out(request))
        try:
            return self._lease(request, tenant)
        except (MachineFailure, DeadlineExceeded) as error:
            hasty = isinstance(error, DeadlineExceeded) and error.seconds < BOOT_SECONDS * self.scale / 2
            if not hasty:
                self._broken.add(kind, tenant.directory.name, error)
            raise

    def _kind(self, request: MachineRequest) -> str:
        config = request.verbatim or self.config(request.ignition, reachable=request.spec.reachable)
        prepared = request.prepare.identity if request.prepare is not None else ""
        return self._broken.kind(request.spec, config, prepared)

    def recipe(self, request: MachineRequest) -> Recipe | None:
        """What the machine would be a clone of; None when it boots by itself from the start."""
        if not self._may_clone(request):
            return None
        recipe = Recipe(
            spec=request.spec,
            image_identity=self._plan.image_identity,
            user=self._plan.access.user,
            config=lambda access: self.config(request.ignition, access),
            preparation=request.prepare,
        )
        once = request.ignition is None or request.boot == "clone" or request.prepare is not None
        if once and request.verbatim is None:
            return recipe
        given = self._given(request)
        if given is None or len(given if isinstance(given, bytes) else given.to_bytes()) > PADDED:
            return None
        return replace(recipe, config=lambda access: IgnitionConfig.empty(), stage=Stage.BEFORE_IGNITION)

    def templates(self, request: MachineRequest) -> tuple[str, ...]:
        """The keys of all templates that have to be there before such a machine is cloned."""
        recipe = self.recipe(request)
        return () if recipe is None else self._platform.templates.keys(recipe)

    def _lease(self, request: MachineRequest, tenant: Tenant) -> Machine:
        recipe = self.recipe(request)
        if recipe is not None:
            make = self._clone if recipe.stage is Stage.BOOTED else self._first_boot
            clone = make(request, recipe, tenant)
            if clone is not None:
                return clone
        for attempt in range(1, ATTEMPTS + 1):
            try:
                return self._boot(request, tenant)
            except InfrastructureError as error:
                if attempt == ATTEMPTS:
                    raise
                tenant.publish("notice", text=f"no machine ({error.message}); trying once more")
        raise AssertionError("unreachable")

    def start(self, request: MachineRequest, tenant: Tenant) -> Machine:
        """Hand a machine over at once, booting or failing as it may.

        One with a config of its own goes on from just before Ignition reads it, where that can be.
        """
        recipe = self.recipe(request)
        if recipe is not None and recipe.stage is Stage.BEFORE_IGNITION:
            begun = self._first_boot(request, recipe, tenant, wait=False)
            if begun is not None:
                return begun
        return self._power_on(request, tenant)

    def _power_on(self, request: MachineRequest, tenant: Tenant) -> Machine:
        home = tenant.directory / str(uuid.uuid4())
        limit = tenant.deadline or Deadline(600 * self.scale)
        instance = self._platform.launch(request.spec, self._given(request), directory=home, deadline=limit)
        return self._machine(instance, self._plan.access, "cold", tenant)

    def _given(self, request: MachineRequest) -> IgnitionConfig | bytes | None:
        """What Ignition finds."""
        if request.verbatim is not None:
            return request.verbatim.content
        return self.config(request.ignition, reachable=request.spec.reachable)

    def _boot(self, request: MachineRequest, tenant: Tenant) -> Machine:
        machine = self._power_on(request, tenant)
        self._wait(machine, request)
        if request.prepare is not None:
            request.prepare.act(machine)
        tenant.publish("machine-ready", machine=machine.directory.name)
        return machine

    def _wait(self, machine: Machine, request: MachineRequest) -> None:
        """Until a machine is up and well, or at its login prompt when nobody can enter."""
        if request.console_only:
            machine.console.expect("login: ", deadline=machine.deadline(BOOT_SECONDS))
            machine.unchecked = True
            return
        machine.wait_reachable()
        machine.check_health(self.opt_out(request))

    def _may_clone(self, request: MachineRequest) -> bool:
        """Whether neither the run nor the test wants a cold boot, and the machine can be cloned at all."""
        return "cold" not in (self._plan.boot, request.boot) and not obstacle(request.spec)

    def _clone(self, request: MachineRequest, recipe: Recipe, tenant: Tenant) -> Machine | None:
        """A clone of the recipe's template; None, with a notice, where it cannot be had."""
        limit = tenant.deadline or Deadline(600 * self.scale)
        kind = self._kind(request)
        template = None if self._broken.seen(kind) else self._template(recipe, limit, tenant, kind)
        if template is None:
            return None
        home = tenant.directory / str(uuid.uuid4())
        with self._or_cold(template, tenant) as born:
            instance = self._platform.templates.clone(template, request.spec, directory=home, deadline=limit)
            machine = self._machine(instance, template.access, "clone", tenant)
            born.append(machine)
            machine.wait_resumed(template.boot_id, os.urandom(64), time.time())
            if hosts := request.spec.reachable.hosts:
                # What Ignition tells a machine that boots by itself.
                names = additions.hosts_lines(hosts)
                machine.run("cat >> /etc/hosts", sudo=True, input=names).check()
            tenant.publish("machine-ready", machine=home.name)
            return machine
        return None

    def _first_boot(
        self, request: MachineRequest, recipe: Recipe, tenant: Tenant, *, wait: bool = True
    ) -> Machine | None:
        """A machine that goes through Ignition and the rest of its first boot by itself.

        That it takes this run's key proves that its own config was the one applied. Without `wait` it is
        handed over at once.
        """
        limit = tenant.deadline or Deadline(600 * self.scale)
        template = self._template(recipe, limit, tenant)
        if template is None:
            return None
        home = tenant.directory / str(uuid.uuid4())
        how = "first boot from template"
        with self._or_cold(template, tenant, but=(MachineFailure,)) as born:
            instance = self._platform.templates.clone(
                template, request.spec, directory=home, deadline=limit, ignition=self._given(request)
            )
            machine = self._machine(instance, self._plan.access, how, tenant)
            born.append(machine)
            if wait:
                self._wait(machine, request)
                tenant.publish("machine-ready", machine=home.name)
            return machine
        return None

    def _template(
        self, recipe: Recipe, limit: Deadline, tenant: Tenant, kind: str | None = None
    ) -> Template | None:
        """None, with a notice, when it cannot be made; a guest that fails is not tried again.

        With `kind` the failure counts as one of that kind of machine.
        """
        *_, which = self._platform.templates.keys(recipe)
        if which in self._hopeless:
            return None
        try:
            return self._platform.templates.obtain(recipe, deadline=limit)
        except (InfrastructureError, MachineFailure, DeadlineExceeded) as error:
            if limit.expired:
                raise
            if isinstance(error, MachineFailure):
                self._hopeless.add(which)
                if kind is not None:
                    self._broken.add(kind, "the template", error)
            tenant.publish("notice", text=f"no template ({error}); booting cold")
            return None

    @contextmanager
    def _or_cold(
        self, template: Template, tenant: Tenant, but: tuple[type[HarnessError], ...] = ()
    ) -> Iterator[list[Machine]]:
        """Swallow what shows that a template does not resume, after a notice; `but` is the guest's own.

        Machines put into the list are then closed.
        """
        born: list[Machine] = []
        try:
            yield born
        except but:
            raise
        except (InfrastructureError, MachineFailure, DeadlineExceeded) as error:
            if tenant.deadline is not None and tenant.deadline.expired:
                raise
            tenant.publish("notice", text=f"the template does not resume ({error}); booting cold")
            self._platform.templates.discard(template)
            for machine in born:
                machine.close()

    def _machine(self, instance: Instance, access: Access, how: str, tenant: Tenant) -> Machine:
        name = instance.directory.name
        machine = Machine(
            instance,
            access,
            scale=self.scale,
            how=how,
            publish=lambda kind, data: tenant.publish(kind, machine=name, **data),
        )
        machine.limit(tenant.deadline)
        tenant.publish("machine-start", machine=name, how=how)
        tenant.started(machine)
        return machine

    def opt_out(self, request: MachineRequest) -> Collection[str]:
        return request.opt_out

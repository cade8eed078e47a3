"""The pool that leases machines to tests, each with a directory of its own."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from harness.errors import DeadlineExceeded, HarnessError, InfrastructureError, MachineFailure
from harness.ignition import IgnitionConfig, additions
from harness.machine.arrival import Arrival
from harness.machine.boot import LiveIso
from harness.machine.instance import Instance
from harness.machine.machine import Machine
from harness.machine.sessions import BOOT_SECONDS, Access
from harness.machine.spec import NOTHING_REACHABLE, Reachable
from harness.platform.base import Platform
from harness.platform.fleet import of_the_host
from harness.platform.templates import PADDED, Recipe, Stage, Template, Templates
from harness.util.deadline import Deadline
from kola.machines.broken import BrokenBoots
from kola.machines.media import embedded
from kola.machines.request import MachineRequest
from kola.run.plan import RunPlan

ATTEMPTS = 2


class LeaseOwner(Protocol):
    """The owner of a lease: its output directory, deadline and event publisher."""

    @property
    def directory(self) -> Path: ...

    @property
    def deadline(self) -> Deadline | None: ...

    @property
    def publish(self) -> Callable[..., None]: ...

    def started(self, machine: Machine) -> None:
        """Take note of a machine as soon as it exists, so that it can be closed whatever happens next."""
        ...


class MachinePool:
    """The pool of one process. It boots or clones the requested machines."""

    def __init__(
        self, plan: RunPlan, platform: Platform, *, host: str = "", failures: Path | None = None
    ) -> None:
        """`host` is the name of the machines' host.

        `failures` is where boots that failed are remembered; by default the run's output directory.
        """
        self._host = host
        self._plan = plan
        self._platform = platform
        self._hopeless: set[str] = set()
        self._broken = BrokenBoots(failures or plan.output / ".broken-boots")
        self._appended = [IgnitionConfig.parse(text) for text in plan.ignition]

    @property
    def _templates(self) -> Templates:
        """The platform's templates. Read only when `recipe` says that a machine may be cloned."""
        assert self._platform.templates is not None
        return self._platform.templates

    @property
    def scale(self) -> float:
        return self._platform.scale

    def config(
        self,
        own: IgnitionConfig | None,
        access: Access | None = None,
        reachable: Reachable = NOTHING_REACHABLE,
    ) -> IgnitionConfig:
        """Return a test's config with the run's and the harness's additions merged over it."""
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

    def lease(self, request: MachineRequest, owner: LeaseOwner, *, arrived: bool = True) -> Machine:
        """Return a machine that answers and is healthy, after at most ATTEMPTS tries.

        Without `arrived` a clone gets time and entropy by its first command only (Machine.wait_resumed). A
        kind of machine that failed to boot twice in this run is not tried again.
        """
        kind = self._kind(request)
        self._broken.check(kind, request.opt_out)
        try:
            machine = self._lease(request, owner, arrived=arrived)
        except (MachineFailure, DeadlineExceeded) as error:
            hasty = isinstance(error, DeadlineExceeded) and error.seconds < BOOT_SECONDS * self.scale / 2
            if not hasty:
                self._broken.add(kind, owner.directory.name, error)
            raise
        machine.instance.incidents.expect(request.opt_out)
        return machine

    def _kind(self, request: MachineRequest) -> str:
        config = request.verbatim or self.config(request.ignition, reachable=request.spec.reachable)
        prepared = request.prepare.identity if request.prepare is not None else ""
        return self._broken.kind(request.spec, config, prepared)

    def recipe(self, request: MachineRequest) -> Recipe | None:
        """Return the recipe of the template to clone; None when the machine boots from the start."""
        if not self._may_clone(request):
            return None
        recipe = Recipe(
            spec=request.spec,
            image_identity=self._plan.image_identity,
            user=self._plan.access.user,
            config=lambda access: self.config(request.ignition, access),
            preparation=request.prepare,
            embed=lambda spec, config: embedded(spec, config, self._plan.distro),
        )
        once = request.ignition is None or request.boot == "clone" or request.prepare is not None
        if once and request.verbatim is None:
            return recipe
        if isinstance(request.spec.medium, LiveIso):
            return None  # it reads its config from the medium as soon as the kernel runs
        given = self._given(request)
        if given is None or len(given if isinstance(given, bytes) else given.to_bytes()) > PADDED:
            return None
        return replace(recipe, config=lambda access: IgnitionConfig.empty(), stage=Stage.BEFORE_IGNITION)

    def templates(self, request: MachineRequest) -> tuple[str, ...]:
        """Return the keys of all templates that must exist before such a machine is cloned."""
        recipe = self.recipe(request)
        return () if recipe is None else self._templates.keys(recipe)

    def _lease(self, request: MachineRequest, owner: LeaseOwner, *, arrived: bool) -> Machine:
        recipe = self.recipe(request)
        if recipe is not None:
            if recipe.stage is Stage.BOOTED:
                clone = self._clone(request, recipe, owner, arrived=arrived)
            else:
                clone = self._first_boot(request, recipe, owner)
            if clone is not None:
                return clone
        for attempt in range(1, ATTEMPTS + 1):
            try:
                return self._boot(request, owner)
            except InfrastructureError as error:
                if attempt == ATTEMPTS or of_the_host(error):
                    raise
                owner.publish("notice", text=f"no machine ({error.message}); trying once more")
        raise AssertionError("unreachable")

    def start(self, request: MachineRequest, owner: LeaseOwner) -> Machine:
        """Start a machine and return it at once, without waiting for its boot to succeed.

        A machine with its own config continues from just before Ignition reads it, if possible.
        """
        recipe = self.recipe(request)
        if recipe is not None and recipe.stage is Stage.BEFORE_IGNITION:
            begun = self._first_boot(request, recipe, owner, wait=False)
            if begun is not None:
                return begun
        return self._power_on(request, owner)

    def _power_on(self, request: MachineRequest, owner: LeaseOwner) -> Machine:
        home = owner.directory / str(uuid.uuid4())
        limit = owner.deadline or Deadline(600 * self.scale)
        spec, given = embedded(request.spec, self._given(request), self._plan.distro)
        instance = self._platform.launch(spec, given, directory=home, deadline=limit)
        return self._machine(instance, self._plan.access, "cold", owner)

    def _given(self, request: MachineRequest) -> IgnitionConfig | bytes | None:
        """Return the config that Ignition finds."""
        if request.verbatim is not None:
            return request.verbatim.content
        return self.config(request.ignition, reachable=request.spec.reachable)

    def _boot(self, request: MachineRequest, owner: LeaseOwner) -> Machine:
        machine = self._power_on(request, owner)
        self._wait(machine, request)
        if request.prepare is not None:
            request.prepare.act(machine)
        owner.publish("machine-ready", machine=machine.directory.name)
        return machine

    def _wait(self, machine: Machine, request: MachineRequest) -> None:
        """Wait until a machine is reachable and healthy, or at its login prompt if nobody can log in."""
        if request.console_only:
            machine.console.expect("login: ", timeout=BOOT_SECONDS)
            machine.unchecked = True
            return
        machine.wait_reachable()
        machine.check_health(request.opt_out)

    def _may_clone(self, request: MachineRequest) -> bool:
        """Return True when the machine can be cloned, and neither run nor test requires a cold boot."""
        if "cold" in (self._plan.boot, request.boot) or self._platform.templates is None:
            return False
        return not self._platform.why_not_clone(request.spec)

    def _clone(
        self, request: MachineRequest, recipe: Recipe, owner: LeaseOwner, *, arrived: bool
    ) -> Machine | None:
        """Return a clone of the recipe's template; None, with a notice, when that fails."""
        limit = owner.deadline or Deadline(600 * self.scale)
        kind = self._kind(request)
        template = None if self._broken.seen(kind) else self._template(recipe, limit, owner, kind)
        if template is None:
            return None
        home = owner.directory / str(uuid.uuid4())
        with self._or_cold(template, owner) as machines:
            instance = self._templates.clone(template, request.spec, directory=home, deadline=limit)
            machine = self._machine(instance, template.access, "clone", owner)
            machines.append(machine)
            machine.wait_resumed(Arrival.new(template.boot_id))
            if hosts := request.spec.reachable.hosts:
                # As Ignition reports for a machine that boots from the start.
                names = additions.hosts_lines(hosts)
                machine.run("cat >> /etc/hosts", sudo=True, input=names).check()
            if arrived:
                machine.arrive()
            owner.publish("machine-ready", machine=home.name)
            return machine
        return None

    def _first_boot(
        self, request: MachineRequest, recipe: Recipe, owner: LeaseOwner, *, wait: bool = True
    ) -> Machine | None:
        """Return a machine that runs Ignition and the rest of its first boot itself.

        It accepts this run's key, which proves that its own config was applied. Without `wait` it is returned
        at once.
        """
        limit = owner.deadline or Deadline(600 * self.scale)
        template = self._template(recipe, limit, owner)
        if template is None:
            return None
        home = owner.directory / str(uuid.uuid4())
        how = "first boot from template"
        with self._or_cold(template, owner, reraise=(MachineFailure,)) as machines:
            instance = self._templates.clone(
                template, request.spec, directory=home, deadline=limit, ignition=self._given(request)
            )
            machine = self._machine(instance, self._plan.access, how, owner)
            machines.append(machine)
            if wait:
                self._wait(machine, request)
                owner.publish("machine-ready", machine=home.name)
            return machine
        return None

    def _template(
        self, recipe: Recipe, limit: Deadline, owner: LeaseOwner, kind: str | None = None
    ) -> Template | None:
        """Return the template, or None, with a notice, when it cannot be made; a guest that fails is not
        tried again.

        With `kind` the failure counts for that kind of machine.
        """
        *_, which = self._templates.keys(recipe)
        if which in self._hopeless:
            return None
        try:
            return self._templates.obtain(recipe, deadline=limit)
        except (InfrastructureError, MachineFailure, DeadlineExceeded) as error:
            if limit.expired or of_the_host(error):
                raise
            if isinstance(error, MachineFailure):
                self._hopeless.add(which)
                if kind is not None:
                    self._broken.add(kind, "the template", error)
            owner.publish("notice", about="no-template", text=f"no template, so a cold boot: {error}")
            return None

    @contextmanager
    def _or_cold(
        self, template: Template, owner: LeaseOwner, reraise: tuple[type[HarnessError], ...] = ()
    ) -> Iterator[list[Machine]]:
        """Swallow errors that show that a template does not resume, after a notice; `reraise` are the guest's
        own.

        Machines added to the list are then closed. A host that is lost or full says nothing about the
        template, and is not swallowed.
        """
        machines: list[Machine] = []
        try:
            yield machines
        except reraise:
            raise
        except (InfrastructureError, MachineFailure, DeadlineExceeded) as error:
            if of_the_host(error) or (owner.deadline is not None and owner.deadline.expired):
                raise
            text = f"the template does not resume, so a cold boot: {error}"
            owner.publish("notice", about="no-template", text=text)
            self._templates.discard(template)
            for machine in machines:
                machine.close()

    def _machine(self, instance: Instance, access: Access, how: str, owner: LeaseOwner) -> Machine:
        name = instance.directory.name
        machine = Machine(
            instance,
            access,
            scale=self.scale,
            how=how,
            host=self._host,
            publish=lambda kind, data: owner.publish(kind, machine=name, **data),
        )
        machine.limit(owner.deadline)
        where = {"host": self._host} if self._host else {}
        owner.publish("machine-start", machine=name, how=how, **where)
        owner.started(machine)
        return machine

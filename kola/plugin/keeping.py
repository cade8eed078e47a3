"""Machines of failed tests that stay, held by the process in which they failed."""

from __future__ import annotations

import ctypes
import os
import signal
import threading
from contextlib import ExitStack

from harness.errors import HarnessError
from harness.machine.machine import Machine
from harness.platform.fleet import Fleet, Member
from kola.keep.keeper import Keeper, Promise
from kola.keep.options import LIFETIME_SECONDS
from kola.keep.record import Kept
from kola.plugin.context import TestContext
from kola.run.plan import RunPlan

_PR_SET_PDEATHSIG = 1


class FailedMachines:
    """The machines that this process keeps. They live in it, even after its tests have ended."""

    def __init__(self, plan: RunPlan, fleet: Fleet) -> None:
        self._plan = plan
        self._fleet = fleet
        self._keeper: Keeper | None = None
        self._owned = ExitStack()

    @property
    def names(self) -> list[str]:
        """The machines that are kept now."""
        return self._keeper.names if self._keeper is not None else []

    def keep(self, context: TestContext) -> None:
        """Take over the machines of a failed test that still run, with their network and services.

        They end as usual when there is no room for the files of a kept machine.
        """
        alive = [machine for machine in context.machines if machine.instance.running]
        if not alive:
            return
        if self._keeper is None:
            self._keeper = Keeper(self._fleet)
        try:
            for machine in alive:
                self._keep(machine, context, self._keeper)
        except (OSError, HarnessError) as error:
            context.publish("notice", text=f"a machine of {context.info.name} is not kept: {error}")
        if context.kept:
            self._owned.push(context.owned.pop_all())

    def _keep(self, machine: Machine, context: TestContext, keeper: Keeper) -> None:
        spec = machine.instance.spec
        promise = Promise(
            self._plan.build_id, self._plan.arch, spec, LIFETIME_SECONDS, test=context.info.name
        )
        (promised,) = keeper.promise(1, promise, host=self._host_of(machine), must_fit=False)
        machine.limit(None)
        context.kept.append(keeper.hold(promised, machine))
        context.machines_kept.append(machine)

    def _host_of(self, machine: Machine) -> Member | None:
        return next((one for one in self._fleet.members if one.name == machine.host), None)

    def release(self, kept: list[Kept]) -> None:
        """End machines of a test before the process ends."""
        if self._keeper is not None:
            for machine in kept:
                self._keeper.stop(machine.name)

    def outlive_parent(self) -> None:
        """Have the kernel no longer end this process with the run. Main thread only, which had asked for it.

        A closed terminal does not reach the process any more, either.
        """
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, 0)
        for number in (signal.SIGHUP, signal.SIGINT):
            signal.signal(number, signal.SIG_IGN)

    def stay(self) -> None:
        """Keep this process, in the background, until the last machine has ended."""
        if os.getpid() != os.getsid(0) and os.getpid() != os.getpgrp():
            os.setsid()
        os.chdir("/")
        threading.Thread(target=self._stay, name="kept machines").start()  # Python ends after its threads

    def close(self) -> None:
        """End all machines."""
        if self._keeper is not None:
            self._keeper.close()
        self._owned.close()

    def _stay(self) -> None:
        threading.main_thread().join()  # pytest's capture puts the standard streams back last of all
        null = os.open(os.devnull, os.O_RDWR)
        for number in range(3):
            os.dup2(null, number)
        os.close(null)
        if self._keeper is not None:
            self._keeper.wait()
        self.close()

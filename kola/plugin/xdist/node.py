"""The controller's side of xdist."""

from __future__ import annotations

import json
import os
import sys
import threading
from collections.abc import Callable
from typing import Any

import pytest

from harness.platform import templates
from harness.platform.choose import choose_fleet
from harness.util.language import localized
from kola.plugin.keys import PLAN
from kola.plugin.needs import read_kinds
from kola.plugin.recorder import Recorder
from kola.plugin.xdist.scheduler import KolaScheduling
from kola.plugin.xdist.worker import CONTROLLER, STAYS
from kola.run import durations
from kola.schedule.resources import Resources
from kola.schedule.waiting import WaitingList

_LOOK_AGAIN = 0.2


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Pass the plan to a worker."""
    plan = node.config.stash.get(PLAN, None)
    if plan is not None:
        node.workerinput["kola"] = json.dumps(plan.to_json())  # ASCII, also where a path is not UTF-8
        node.workerinput[CONTROLLER] = os.getpid()


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Do not wait for a worker that keeps machines."""
    if STAYS in getattr(node, "workeroutput", {}):
        node.gateway._io.wait = lambda: None  # what execnet waits for when it ends its workers


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> KolaScheduling | None:
    plan = config.stash.get(PLAN, None)
    if plan is None:
        return None
    fleet = choose_fleet(plan.platform, plan.arch, plan.hosts, network=plan.libvirt_network, tell=_tell)
    fleet.watch()
    config.add_cleanup(fleet.close)
    resources = Resources(fleet)
    config.add_cleanup(resources.close)
    alarm = _Alarm(config)
    scheduling = KolaScheduling(
        config,
        durations.load().order,
        kinds=lambda: read_kinds(plan.output),
        made=templates.made,
        grants=WaitingList(resources, tell=_tell),
        look_again_later=alarm.set,
        give_up=_recorder(config).give_up,
    )
    alarm.rings = scheduling.look_again
    return scheduling


def _recorder(config: pytest.Config) -> Recorder:
    recorder = config.pluginmanager.get_plugin("kola-recorder")
    assert isinstance(recorder, Recorder)  # every session that runs tests has one
    return recorder


class _Alarm:
    """A timer that makes the controller look for startable tests again, in the controller's own thread."""

    def __init__(self, config: pytest.Config) -> None:
        session: Any = config.pluginmanager.get_plugin("dsession")
        session.worker_kola_alarm = self._ring  # by this name it finds the function for an event of its queue
        self._queue = session.queue
        self._timer: threading.Timer | None = None
        self.rings: Callable[[], None] = lambda: None

    def set(self) -> None:
        if self._timer is None:
            self._timer = threading.Timer(_LOOK_AGAIN, self._queue.put, [("kola_alarm", {})])
            self._timer.daemon = True
            self._timer.start()

    def _ring(self) -> None:
        self._timer = None
        self.rings()


def _tell(text: str) -> None:
    print(localized(text), file=sys.stderr, flush=True)


@pytest.hookimpl(optionalhook=True)
def pytest_handlecrashitem(crashitem: str, report: pytest.TestReport, sched: Any) -> None:
    """Handle the crash of a worker: run its test once more elsewhere, or report a second crash."""
    if not isinstance(sched, KolaScheduling):
        return
    retry = sched.may_retry(crashitem)
    report.kola_crash = "retry" if retry else "final"  # type: ignore[attr-defined]
    if retry:
        report.outcome = "rerun"  # type: ignore[assignment]  # neither passed nor failed yet
        sched.mark_test_pending(crashitem)

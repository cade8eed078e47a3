"""The controller's side of xdist."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from typing import Any

import pytest

from harness.platform.qemu import template
from kola.plugin.keys import PLAN
from kola.plugin.needs import read_kinds
from kola.schedule import KolaScheduling, durations
from kola.schedule.gate import Gate
from kola.schedule.resources import Resources

_LOOK_AGAIN = 0.2


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Hand the plan to a worker."""
    plan = node.config.stash.get(PLAN, None)
    if plan is not None:
        node.workerinput["kola"] = plan.to_json()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> KolaScheduling | None:
    plan = config.stash.get(PLAN, None)
    if plan is None:
        return None
    resources = Resources()
    config.add_cleanup(resources.close)
    alarm = _Alarm(config)
    scheduling = KolaScheduling(
        config,
        durations.load().order,
        kinds=lambda: read_kinds(plan.output),
        made=template.made,
        grants=Gate(resources, tell=_tell),
        look_again_later=alarm.set,
    )
    alarm.rings = scheduling.look_again
    return scheduling


class _Alarm:
    """Has the controller look for startable tests again, in its own thread, a little later."""

    def __init__(self, config: pytest.Config) -> None:
        session: Any = config.pluginmanager.get_plugin("dsession")
        session.worker_kola_alarm = self._ring  # how it finds what to call for an event of its queue
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
    print(text, file=sys.stderr, flush=True)


@pytest.hookimpl(optionalhook=True)
def pytest_handlecrashitem(crashitem: str, report: pytest.TestReport, sched: Any) -> None:
    """A worker died: run its test once more elsewhere, or say that it crashed again."""
    if not isinstance(sched, KolaScheduling):
        return
    retry = sched.may_retry(crashitem)
    report.kola_crash = "retry" if retry else "final"  # type: ignore[attr-defined]
    if retry:
        report.outcome = "rerun"  # type: ignore[assignment]  # neither passed nor failed yet
        sched.mark_test_pending(crashitem)

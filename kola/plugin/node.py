"""The controller's side of xdist."""

from __future__ import annotations

from typing import Any

import pytest

from kola.plugin.keys import PLAN
from kola.schedule import KolaScheduling, durations


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Hand the plan to a worker."""
    plan = node.config.stash.get(PLAN, None)
    if plan is not None:
        node.workerinput["kola"] = plan.to_json()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> KolaScheduling | None:
    if config.stash.get(PLAN, None) is None:
        return None
    return KolaScheduling(config, durations.load().order)


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

"""External tests as pytest items."""

from __future__ import annotations

import re
from dataclasses import replace
from os import PathLike
from pathlib import Path
from typing import Any

import pytest

from harness.errors import HarnessError
from harness.machine.machine import Machine
from kola.cases.external.discover import ExternalTest
from kola.machines import MachineRequest
from kola.plugin.context import TestContext
from kola.plugin.keys import CONTEXT, STATE
from kola.plugin.state import WorkerState
from kola.run.plan import RunPlan
from kola.schedule.need import Need
from kola.shell.execute import Execution
from kola.shell.failures import SKIP_STATUS, failure
from kola.shell.job import Job
from kola.shell.need import archive_for, config_warnings, need_of, opt_out, request_for, unavailable
from kola.shell.news import Ended

_MARKER = re.compile(r"[A-Za-z][\w.-]*")
_MEANT_OTHERWISE = frozenset(
    {"skip", "skipif", "xfail", "parametrize", "usefixtures", "filterwarnings", "kola", "machine", "vm"}
)
_STATUS_TITLE = "systemctl status"


class GuestItem(pytest.Item):
    """Common base of items that run shell tests in a guest."""

    @property
    def state(self) -> WorkerState:
        return self.config.stash[STATE]

    @property
    def context(self) -> TestContext:
        """The context of the current attempt."""
        return self.stash[CONTEXT]

    def lease(self, request: MachineRequest) -> Machine:
        """Return the machine. Its first command, which starts the test, gives a clone time and entropy."""
        self.context.reserve_machine(request.spec)
        return self.state.pool.lease(request, self.context, arrived=False)

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """Return only the error: a shell test's author has no use for our traceback."""
        if isinstance(excinfo.value, HarnessError):
            return str(excinfo.value)
        return super().repr_failure(excinfo, style)


class ExternalItem(GuestItem):
    """An external test on a machine of its own."""

    def __init__(self, *, test: ExternalTest, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.test = test
        self.alike = 1
        """Number of tests in this run that request such a machine; set once all are collected."""
        self.kola_info = replace(test.info, name=self.name)
        checks = opt_out(test)
        if checks:
            self.add_marker(pytest.mark.machine(opt_out=tuple(sorted(checks))))
        for tag in sorted(test.info.tags):
            _mark(self, tag)

    def need(self, plan: RunPlan) -> Need:
        return need_of([self.test], plan)

    def machine_request(self, plan: RunPlan) -> MachineRequest:
        """Return the request for its machine. Raises ConfigError."""
        return request_for(self.test, plan, alike=self.alike)

    def runtest(self) -> None:
        plan, context = self.state.plan, self.context
        missing = unavailable(self.test, plan)
        if missing:
            pytest.skip(missing)
        request = self.machine_request(plan)
        context.remarks += config_warnings(self.test)
        archive = archive_for(self.test, plan)
        machine = self.lease(request)
        job = Job.alone(self.test, archive=_upload(machine, archive) if archive else None)
        execution = Execution(job, machine, context.deadline, opt_out=request.opt_out)
        try:
            ended = execution.run()
        finally:
            context.own_output = execution.output
            if execution.unit_status:
                self.add_report_section("call", _STATUS_TITLE, execution.unit_status)
        if skips(self.test, ended):
            pytest.skip(skip_reason(ended))
        if not ended.passed:
            raise failure(ended)

    def reportinfo(self) -> tuple[PathLike[str] | str, int | None, str]:
        return self.test.executable, None, self.name


def skips(test: ExternalTest, ended: Ended) -> bool:
    """Return True when the test's exit status says that it does not apply."""
    return test.metadata.skip_on_77 and ended.exit_status == SKIP_STATUS


def skip_reason(ended: Ended) -> str:
    return ended.last_line.strip() or f"exited with status {SKIP_STATUS}, and no word why"


def _upload(machine: Machine, archive: Path) -> str:
    """Copy the archive into the guest and return its path there."""
    target = f"/var/tmp/{archive.name}"
    machine.put(archive, target)
    return target


def _mark(item: pytest.Item, tag: str) -> None:
    """Add a tag as a marker, for `-m`, and as a keyword, for `-k`."""
    item.extra_keyword_matches.add(tag)
    if _MARKER.fullmatch(tag) and tag not in _MEANT_OTHERWISE:
        item.config.addinivalue_line("markers", f"{tag}: tag of an external test")
        item.add_marker(tag)

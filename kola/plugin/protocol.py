"""How one test is run: attempts, phases, blame, verdict."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import _pytest
import pluggy
import pytest
from _pytest.runner import runtestprotocol

import harness
from harness.errors import HarnessError
from kola.model import FailureKind, TestInfo, Verdict
from kola.plugin.admission import Room
from kola.plugin.attach import to_junit
from kola.plugin.context import TestContext
from kola.plugin.keys import CONTEXT, INFO, STATE
from kola.plugin.needs import need_of
from kola.plugin.state import WorkerState
from kola.report.result import TestResult

_NOT_THE_AUTHORS = (
    Path(harness.__file__).parent,
    Path(__file__).parents[1],
    Path(_pytest.__file__).parent,
    Path(pluggy.__file__).parent,
)
_CONSOLE_LINES = 15


class _Session:
    """Stands for "some test of this session comes next": only the session's fixtures are kept.

    Nothing is known of the next test here, since none is handed out before it can start.
    """

    def __init__(self, session: pytest.Session) -> None:
        self._session = session

    def listchain(self) -> list[pytest.Session]:
        return [self._session]


def run(item: pytest.Item) -> None:
    """Run a kola test once it has what it needs, again on a fresh machine where due, and report it."""
    state = item.config.stash[STATE]
    with state.admission.admit(item.nodeid, need_of(item, state.plan)) as room:
        _run(item, state, room)


def _run(item: pytest.Item, state: WorkerState, room: Room) -> None:
    info = item.stash[INFO]
    location = (*item.location[:2], info.name)
    item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=location)
    state.events.emit("test-start", test=info.name)
    started = time.monotonic()
    first: TestContext | None = None
    attempts = 0
    while True:
        attempts += 1
        context = state.context(info, room)
        item.stash[CONTEXT] = context
        reports = _attempt(item)
        if first is None:
            first = context
        if (
            attempts == 1
            and context.kind is not None
            and not room.refused
            and _second_chance(context.kind, rerun=state.plan.rerun)
        ):
            state.events.emit("notice", test=info.name, text=f"{context.cause}: trying on a fresh machine")
            continue
        break
    result = _result(item, info, context, first, reports, attempts, time.monotonic() - started)
    if info.name in state.plan.warn_on_failure and result.verdict is Verdict.FAIL:
        result = replace(result, verdict=Verdict.WARN, reason=f"failure is only a warning: {result.reason}")
        for report in reports:
            report.outcome = "passed"  # pytest's own summary knows no warnings
    state.events.emit("test-end", test=info.name, verdict=str(result.verdict), cause=result.cause)
    reports[-1].kola = result.to_json()  # type: ignore[attr-defined]  # travels with the report through xdist
    to_junit(reports[-1], context)
    for report in reports:
        item.ihook.pytest_runtest_logreport(report=report)
    item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=location)


def _attempt(item: pytest.Item) -> list[pytest.TestReport]:
    if isinstance(item, pytest.Function):
        item._initrequest()  # as every rerun plugin must
    session = _Session(item.session)
    return runtestprotocol(item, log=False, nextitem=session)  # type: ignore[arg-type]


def _second_chance(kind: FailureKind, *, rerun: bool) -> bool:
    return kind is FailureKind.INFRASTRUCTURE or rerun


def _result(
    item: pytest.Item,
    info: TestInfo,
    context: TestContext,
    first: TestContext,
    reports: list[pytest.TestReport],
    attempts: int,
    seconds: float,
) -> TestResult:
    output = item.config.stash[STATE].plan.output
    failed = next((report for report in reports if report.failed), None)
    skipped = next((report for report in reports if report.skipped), None)
    text = "\n".join(dict.fromkeys(part for report in reports for part in _body(report)))
    if context.own_output:
        text = context.own_output.rstrip() + ("\n" + text if text else "")
    machines = [*(first.machines if first is not context else []), *context.machines]
    verdict, reason = Verdict.PASS, ""
    kind, cause = context.kind, context.cause
    if failed is not None:
        verdict, reason = Verdict.FAIL, context.failure
        kind = kind or FailureKind.TEST
        cause = cause or "error"
    elif skipped is not None:
        verdict, kind, cause = Verdict.SKIP, None, ""
        reason = context.skip_reason or _skip_reason(skipped)
    elif first is not context:
        verdict, kind, cause = Verdict.FLAKY, first.kind, first.cause
        reason = f"passed on a fresh machine after: {first.failure}"
    elif context.warnings:
        verdict, reason = Verdict.WARN, "; ".join(context.warnings)
        kind, cause = None, ""
    else:
        kind, cause = None, ""
    return TestResult(
        name=info.name,
        verdict=verdict,
        seconds=seconds,
        output=text,
        kind=kind,
        cause=cause,
        reason=reason,
        boot=tuple(machine.how for machine in machines),
        machines=tuple(machine.directory.relative_to(output) for machine in machines),
        subtests=tuple(context.subtests),
        nodeid=item.nodeid,
        attempts=attempts,
    )


def _body(report: pytest.TestReport) -> list[str]:
    """What failed, then the sections; those of an item come with each of its reports again."""
    parts = [report.longreprtext] if report.failed else []
    parts += [f"{title}:\n{content.rstrip()}" for title, content in report.sections if content.strip()]
    return parts


def _skip_reason(report: pytest.TestReport) -> str:
    if isinstance(report.longrepr, tuple):
        return str(report.longrepr[2]).removeprefix("Skipped: ")
    return report.longreprtext


def check_after(context: TestContext, *, opt_out: frozenset[str], warnings_only: bool) -> None:
    """Health of every machine the test leaves behind alive; raises the first fatal finding."""
    for machine in context.machines:
        if not machine.instance.running or machine.unchecked:
            continue
        machine.limit(None)
        for finding in machine.check_health(opt_out, warn_only=warnings_only):
            context.warnings.append(f"{finding.name}: {finding.message}")


def enrich(item: pytest.Item, call: pytest.CallInfo[None]) -> None:
    """Blame the failure, and cut its traceback to the frames the author wrote."""
    context = item.stash.get(CONTEXT, None)
    info = call.excinfo
    if context is None or info is None or info.errisinstance((pytest.skip.Exception,)):
        return
    context.blame(info.value)
    if isinstance(info.value, HarnessError):
        info.traceback = info.traceback.filter(lambda entry: _authors(Path(str(entry.path))))
    for machine in context.machines:
        tail = machine.console.text(_CONSOLE_LINES)
        if tail and call.when != "teardown" and tail.strip() not in str(info.value):
            item.add_report_section(call.when, f"console of {machine.directory.name[:8]}", tail)


def in_its_own_words(call: pytest.CallInfo[None], report: pytest.TestReport) -> None:
    """Without a frame of the author's, as when no machine boots, the error is all there is to be said."""
    info = call.excinfo
    if report.failed and info is not None and isinstance(info.value, HarnessError) and not info.traceback:
        report.longrepr = str(info.value)


def _authors(path: Path) -> bool:
    return not any(path.is_relative_to(place) for place in _NOT_THE_AUTHORS)

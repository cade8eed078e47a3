"""The protocol of one test: attempts, phases, failures, verdict."""

from __future__ import annotations

import time
from dataclasses import replace
from functools import partial
from pathlib import Path

import _pytest
import pluggy
import pytest
from _pytest.fixtures import FixtureLookupError
from _pytest.runner import runtestprotocol

import harness
from harness.errors import ConfigError, HarnessError
from harness.platform.fleet import ELSEWHERE
from harness.util.suggest import near
from kola.cases.model import FailureKind, TestInfo, Verdict
from kola.plugin.context import TestContext, classify
from kola.plugin.keys import CONTEXT, INFO, STATE
from kola.plugin.needs import need_of, refusing_hosts
from kola.plugin.reservations import Reservation
from kola.plugin.state import WorkerState
from kola.report.result import TestResult
from kola.shell.culprit import memory_ran_out

_NOT_THE_AUTHORS = (
    Path(harness.__file__).parent,
    Path(__file__).parents[1],
    Path(_pytest.__file__).parent,
    Path(pluggy.__file__).parent,
)
_CONSOLE_LINES = 15


class _Session:
    """A stand-in for the next test, so that pytest keeps only the session's fixtures.

    The next test is unknown here, since none is assigned before it can start.
    """

    def __init__(self, session: pytest.Session) -> None:
        self._session = session

    def listchain(self) -> list[pytest.Session]:
        return [self._session]


def run(item: pytest.Item) -> None:
    """Run a kola test once its need is met, again on a fresh machine if due, and report it."""
    state = item.config.stash[STATE]
    need = need_of(item, state.plan)
    avoid = partial(refusing_hosts, item, state.plan, state.fleet)
    with state.reservations.reserve(item.nodeid, need, avoid) as reservation:
        _run(item, state, reservation)


def _run(item: pytest.Item, state: WorkerState, reservation: Reservation) -> None:
    info = item.stash[INFO]
    location = (*item.location[:2], info.name)
    item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=location)
    state.events.emit("test-start", test=info.name)
    began, started = time.time(), time.monotonic()
    first: TestContext | None = None
    attempts = 0
    while True:
        attempts += 1
        state.use(reservation.host)
        context = state.context(info, reservation)
        item.stash[CONTEXT] = context
        reports = _attempt(item)
        if first is None:
            first = context
        if (
            attempts == 1
            and context.kind is not None
            and not reservation.refused
            and _second_chance(context.kind, rerun=state.plan.rerun)
        ):
            if context.cause in ELSEWHERE:
                reservation.move(context.cause)
            state.events.emit("notice", test=info.name, text=_again(context, reservation, state))
            continue
        break
    result = _result(item, info, context, first, reports, attempts, time.monotonic() - started)
    result = replace(result, started=began)
    if result.verdict is Verdict.FLAKY and not _may_pass_again(info, state, first):
        reason = f"{result.reason} (--allow-rerun-success does not allow it)"
        result = replace(result, verdict=Verdict.FAIL, reason=reason)
        for report in reports:
            if report.when == "call":
                report.outcome, report.longrepr = "failed", reason
    if info.name in state.plan.warn_on_failure and result.verdict is Verdict.FAIL:
        result = replace(result, verdict=Verdict.WARN, reason=f"failure is only a warning: {result.reason}")
        for report in reports:
            report.outcome = "passed"  # pytest's own summary knows no warnings
    state.events.emit("test-end", test=info.name, verdict=str(result.verdict), cause=result.cause)
    reports[-1].kola = result.to_json()  # type: ignore[attr-defined]  # travels with the report through xdist
    for report in reports:
        item.ihook.pytest_runtest_logreport(report=report)
    item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=location)


def _again(context: TestContext, reservation: Reservation, state: WorkerState) -> str:
    """Return the notice of a second attempt."""
    where = ""
    if context.cause in ELSEWHERE and reservation.host is not None and not reservation.refused:
        where = f" on {state.fleet.member(reservation.host).name}"
    return f"{context.cause}: trying on a fresh machine{where}"


def _may_pass_again(info: TestInfo, state: WorkerState, first: TestContext) -> bool:
    """Return True when a pass at the second attempt counts: always when the first one got no machine."""
    allowed = state.plan.rerun_success
    return allowed is None or first.kind is FailureKind.INFRASTRUCTURE or bool(info.tags & set(allowed))


def _attempt(item: pytest.Item) -> list[pytest.TestReport]:
    if isinstance(item, pytest.Function):
        item._initrequest()  # required of every rerun plugin
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
        where = f" of {context.host}" if context.host != first.host else ""
        reason = f"passed on a fresh machine{where} after: {first.failure}"
    elif context.warnings:
        verdict, reason = Verdict.WARN, "; ".join(context.warnings)
        kind, cause = None, ""
    else:
        kind, cause, reason = None, "", "\n".join(context.remarks)
    return TestResult(
        name=info.name,
        verdict=verdict,
        seconds=seconds,
        output=text,
        kind=kind,
        cause=cause,
        reason=reason,
        boot=tuple(machine.how for machine in machines),
        hosts=_hosts(first, context),
        machines=tuple(machine.directory.relative_to(output) for machine in machines),
        subtests=tuple(context.subtests),
        nodeid=item.nodeid,
        attempts=attempts,
        kept=tuple(kept.name for kept in (*(first.kept if first is not context else []), *context.kept)),
    )


def _hosts(first: TestContext, last: TestContext) -> tuple[str, ...]:
    """Return the hosts of the attempts that had machines or tried to, each once in a row."""
    hosts = [context.host for context in (first, last) if context.host]
    return tuple(dict.fromkeys(hosts))


def _body(report: pytest.TestReport) -> list[str]:
    """Return the failure, then the sections, which each report of an item repeats."""
    parts = [report.longreprtext] if report.failed else []
    parts += [f"{title}:\n{content.rstrip()}" for title, content in report.sections if content.strip()]
    return parts


def _skip_reason(report: pytest.TestReport) -> str:
    if hasattr(report, "wasxfail"):
        return f"fails as expected: {report.wasxfail.removeprefix('reason: ')}".removesuffix(": ")
    if isinstance(report.longrepr, tuple):
        return str(report.longrepr[2]).removeprefix("Skipped: ")
    return report.longreprtext


def check_after(context: TestContext, *, opt_out: frozenset[str], warnings_only: bool) -> None:
    """Check the health of every machine that is still alive after the test; raise the first fatal finding."""
    for machine in context.machines:
        if not machine.instance.running or machine.unchecked:
            continue
        machine.limit(None)
        for finding in machine.check_health(opt_out, warn_only=warnings_only):
            context.warnings.append(f"{finding.cause}: {finding.message}")


def enrich(item: pytest.Item, call: pytest.CallInfo[None]) -> None:
    """Record the failure's cause, and cut its traceback to the frames the author wrote."""
    context = item.stash.get(CONTEXT, None)
    info = call.excinfo
    if context is None or info is None or info.errisinstance((pytest.skip.Exception,)):
        return
    if isinstance(info.value, FixtureLookupError):
        info = call.excinfo = _instead(info, no_such_fixture(item, info.value))
    for failure in _of_the_guest(context, info.value):
        failure.__cause__ = info.value
        info = call.excinfo = _instead(info, failure)
    context.record_failure(info.value)
    if isinstance(info.value, HarnessError):
        info.traceback = info.traceback.filter(lambda entry: _authors(Path(str(entry.path))))
    for machine in context.machines:
        tail = machine.console.text(_CONSOLE_LINES)
        if tail and call.when != "teardown" and tail.strip() not in str(info.value):
            item.add_report_section(call.when, f"console of {machine.directory.name[:8]}", tail)


def _instead(
    info: pytest.ExceptionInfo[BaseException], error: HarnessError
) -> pytest.ExceptionInfo[BaseException]:
    """Return `error` as if it had been raised where `info` was."""
    return pytest.ExceptionInfo.from_exception(error.with_traceback(info.tb))


def _of_the_guest(context: TestContext, error: BaseException) -> list[HarnessError]:
    """Return the guest's error that explains the test's failure, if there is one: at most one error."""
    if context.kind is not None or classify(error)[0] is not FailureKind.TEST:
        return []
    found = (memory_ran_out(machine) for machine in context.machines)
    return [failure for failure in found if failure is not None][:1]


def in_its_own_words(call: pytest.CallInfo[None], report: pytest.TestReport) -> None:
    """Reduce the report to the error when no frame is the author's, as when no machine boots."""
    info = call.excinfo
    if hasattr(report, "wasxfail"):
        report.longrepr = None
    if report.failed and info is not None and isinstance(info.value, HarnessError) and not info.traceback:
        report.longrepr = str(info.value)


def _authors(path: Path) -> bool:
    return not any(path.is_relative_to(place) for place in _NOT_THE_AUTHORS)


def no_such_fixture(item: pytest.Item, error: FixtureLookupError) -> ConfigError:
    """Return the error as one sentence, with the place of the function that requests the fixture."""
    function = error.fixturestack[-1].func if error.fixturestack else getattr(item, "function", None)
    code = getattr(function, "__code__", None)
    file, line = (code.co_filename, code.co_firstlineno) if code else (item.path, None)
    available = str(error.formatrepr().errorstring).partition("available fixtures: ")[2].partition("\n")[0]
    known = available.split(", ")
    meant = near(error.argname or "", known)
    hint = f"; did you mean {meant[0]!r}?" if meant else ""
    message = error.msg or f"there is no fixture {error.argname!r}{hint}"
    return ConfigError(message, file=file, line=line)

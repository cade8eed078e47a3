"""Many non-exclusive tests on one machine, one pytest item for all of them (`--isolation=bucket`)."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from os import PathLike
from typing import Any

import pytest

from harness.errors import HarnessError, InfrastructureError
from harness.machine.machine import Machine
from harness.util.deadline import Deadline
from kola.cases.model import FailureKind, TestInfo, Verdict
from kola.machines import MachineRequest
from kola.plugin.context import classify
from kola.plugin.external.items import ExternalItem, GuestItem, skip_reason, skips
from kola.plugin.external.members import tell_member
from kola.report.result import TestResult
from kola.run.plan import RunPlan
from kola.schedule.need import Need
from kola.shell.execute import Execution
from kola.shell.failures import failure
from kola.shell.job import Job
from kola.shell.need import config_warnings, need_of, own_config, shared_request

MEMBER_MINUTES = 1.0
TRIES = 2


class SubtestsFailed(HarnessError):
    """Raised when members of a bucket failed; each has its own verdict."""


class BucketItem(GuestItem):
    """An item that runs its members one after another.

    When a member spoils the machine, the others continue on a fresh one.
    """

    def __init__(self, *, members: Sequence[ExternalItem], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.members = tuple(members)
        for member in members:
            self.extra_keyword_matches.add(member.name)
        self._verdicts: dict[str, TestResult] = {}

    def bucket_info(self, boot_minutes: float) -> TestInfo:
        """Return the bucket's facts. Its time limit is the sum of its members' limits and three boots."""
        minutes = sum(_minutes(member) for member in self.members)
        return TestInfo(self.name, tags=frozenset({"external"}), minutes=minutes + 3 * boot_minutes)

    def need(self, plan: RunPlan) -> Need:
        return need_of([member.test for member in self.members], plan)

    def machine_request(self, plan: RunPlan) -> MachineRequest:
        """Return the request for the machine of all members. Raises ConfigError for a wrong config."""
        return shared_request([member.test for member in self.members], plan)

    def runtest(self) -> None:
        context = self.context
        context.subtests.clear()
        earlier, self._verdicts = self._verdicts, {}
        waiting: list[tuple[int, ExternalItem]] = []
        for number, member in enumerate(self.members):
            before = earlier.get(member.name)
            if before is not None and before.verdict is not Verdict.FAIL:
                self._verdicts[member.name] = before
            elif (broken := self._broken_config(member)) is not None:
                self._verdicts[member.name] = broken
            else:
                waiting.append((number, member))
        for done in self._verdicts.values():
            tell_member(self, done)
        try:
            tries = dict.fromkeys((number for number, _ in waiting), 0)
            while waiting:
                machine = self.lease(shared_request([member.test for _, member in waiting], self.state.plan))
                waiting = self._run_on(machine, waiting, tries)
        finally:
            for _, member in waiting:
                self._verdicts.setdefault(member.name, self._never_ran(member))
            context.subtests.extend(
                _after(earlier.get(member.name), self._verdicts[member.name]) for member in self.members
            )
        self._conclude()

    def _broken_config(self, member: ExternalItem) -> TestResult | None:
        """Return the verdict of a member whose config is wrong, so that the others run without it; else
        None.
        """
        try:
            own_config(member.test)
        except HarnessError as error:
            return self._failed(member, 0.0, "", error)
        return None

    def _run_on(
        self, machine: Machine, waiting: list[tuple[int, ExternalItem]], tries: dict[int, int]
    ) -> list[tuple[int, ExternalItem]]:
        """Run members until none is left or the machine is unfit for more; return those still to run."""
        taken: set[str] = set()
        for position, (number, member) in enumerate(waiting):
            job = Job.member(member.test, number, taken=taken)
            taken.add(job.identifier)
            tries[number] += 1
            result, fit = self._run(machine, member, job)
            again = result.kind is FailureKind.INFRASTRUCTURE and tries[number] < TRIES
            if not again:
                self._verdicts[member.name] = replace(result, attempts=tries[number])
                tell_member(self, self._verdicts[member.name])
            if not fit:
                machine.unchecked = True
                return waiting[position if again else position + 1 :]
        machine.unchecked = True  # checked after each of them
        return []

    def _run(self, machine: Machine, member: ExternalItem, job: Job) -> tuple[TestResult, bool]:
        """Return a member's result, and whether its machine is fit for another."""
        started = time.monotonic()
        whole = Deadline(
            min(
                self.state.seconds(replace(member.kola_info, minutes=_minutes(member))),
                self.context.deadline.remaining,
            )
        )
        execution = Execution(job, machine, whole, opt_out=frozenset())
        try:
            ended = execution.run()
            if not ended.passed:  # the failure of its own unit is its verdict, not the machine's state
                machine.run(["systemctl", "reset-failed", job.unit], sudo=True)
            warnings = machine.check_health(warn_only=self.state.plan.console_warnings_only)
        except HarnessError as error:
            return self._failed(member, time.monotonic() - started, _report(execution), error), False
        finally:
            machine.limit(self.context.deadline)
        seconds = time.monotonic() - started
        if skips(member.test, ended):
            return self._result(member, seconds, Verdict.SKIP, execution.output, skip_reason(ended)), True
        if not ended.passed:
            return self._failed(member, seconds, _report(execution), failure(ended)), True
        reason = "; ".join(f"{finding.cause}: {finding.message}" for finding in warnings)
        if reason:
            return self._result(member, seconds, Verdict.WARN, execution.output, reason), True
        remarks = "\n".join(config_warnings(member.test))
        return self._result(member, seconds, Verdict.PASS, execution.output, remarks), True

    def _failed(self, member: ExternalItem, seconds: float, output: str, error: HarnessError) -> TestResult:
        kind, cause = classify(error)
        warns = member.name in self.state.plan.warn_on_failure
        reason = f"failure is only a warning: {error}" if warns else str(error)
        verdict = Verdict.WARN if warns else Verdict.FAIL
        return replace(self._result(member, seconds, verdict, output, reason), kind=kind, cause=cause)

    def _result(
        self, member: ExternalItem, seconds: float, verdict: Verdict, output: str, reason: str
    ) -> TestResult:
        machines = self.context.machines[-1:]
        return TestResult(
            name=member.name,
            verdict=verdict,
            seconds=seconds,
            output=output,
            reason=reason,
            boot=tuple(machine.how for machine in machines),
            machines=tuple(machine.directory.relative_to(self.state.plan.output) for machine in machines),
            nodeid=member.nodeid,
        )

    def _never_ran(self, member: ExternalItem) -> TestResult:
        reason = "never ran: no machine was left for it"
        result = self._result(member, 0.0, Verdict.FAIL, "", reason)
        return replace(result, kind=FailureKind.INFRASTRUCTURE, cause="no-machine")

    def _conclude(self) -> None:
        results = self.context.subtests
        failed = [result for result in results if result.verdict is Verdict.FAIL]
        if failed and all(result.kind is FailureKind.INFRASTRUCTURE for result in failed):
            raise InfrastructureError(_names(failed, len(results)), cause=failed[0].cause)
        if failed:
            raise SubtestsFailed(_names(failed, len(results)))
        self.context.warnings += [
            f"{result.name}: {result.reason}"
            for result in results
            if result.verdict in (Verdict.WARN, Verdict.FLAKY)
        ]

    def reportinfo(self) -> tuple[PathLike[str] | str, int | None, str]:
        return self.members[0].test.executable, None, self.name


def _minutes(member: ExternalItem) -> float:
    return member.test.info.minutes or MEMBER_MINUTES


def _report(execution: Execution) -> str:
    status = execution.unit_status
    return execution.output + (f"systemctl status:\n{status}" if status else "")


def _after(earlier: TestResult | None, result: TestResult) -> TestResult:
    """Merge with an earlier result: a pass after a failure is flaky."""
    if earlier is None or earlier.verdict is not Verdict.FAIL or result.verdict is not Verdict.PASS:
        return result
    reason = f"passed on a fresh machine after: {earlier.reason}"
    attempts = earlier.attempts + result.attempts
    return replace(
        result,
        verdict=Verdict.FLAKY,
        reason=reason,
        kind=earlier.kind,
        cause=earlier.cause,
        attempts=attempts,
    )


def _names(failed: Sequence[TestResult], total: int) -> str:
    return f"{len(failed)} of {total} failed: {', '.join(result.name for result in failed)}"


def bucket_of(session: pytest.Session, number: int, members: Sequence[ExternalItem], name: str) -> BucketItem:
    """Return the item of a bucket. It belongs to no file."""
    item = BucketItem.from_parent(session, name=f"{name}{number}", nodeid=f"{name}{number}", members=members)
    assert isinstance(item, BucketItem)
    return item

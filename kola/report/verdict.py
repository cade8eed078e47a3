"""The verdict of a run from those of its tests, and the exit status for scripts."""

from __future__ import annotations

from collections.abc import Iterable
from enum import IntEnum

from kola.cases.model import Verdict
from kola.report.result import RunResult, TestResult

_SEVERITY = {
    Verdict.SKIP: 0,
    Verdict.PASS: 1,
    Verdict.FLAKY: 2,
    Verdict.WARN: 3,
    Verdict.FAIL: 4,
}


class ExitCode(IntEnum):
    """kola's exit status; 77 only with `--on-warn-failure-exit-77`."""

    OK = 0
    FAILED = 1
    USAGE = 2
    WARNED = 77


def worst(verdicts: Iterable[Verdict]) -> Verdict:
    """Return the worst verdict; PASS for none, since a run from which everything was filtered succeeded."""
    return max(verdicts, key=_SEVERITY.__getitem__, default=Verdict.PASS)


def overall(tests: Iterable[TestResult]) -> Verdict:
    """Return PASS, WARN or FAIL for these tests, the words that a reader of kola's report.json knows.

    A flaky test warns. Skips do not matter, and infrastructure failures are failures.
    """
    match worst(test.verdict for test in tests):
        case Verdict.FAIL:
            return Verdict.FAIL
        case Verdict.WARN | Verdict.FLAKY:
            return Verdict.WARN
        case _:
            return Verdict.PASS


def verdict_of(run: RunResult) -> Verdict:
    """Return PASS, WARN or FAIL for a run.

    A run that was cut short, or whose clones disagree, is not a PASS.
    """
    return Verdict.FAIL if run.interrupted or run.disagreements else overall(run.tests)


def exit_code(tests: Iterable[TestResult], *, warn_exits_77: bool, interrupted: bool = False) -> ExitCode:
    """Return the exit status of a run. An interrupted run failed whatever its tests' verdicts.

    77 is for tests that only warn. A flaky test passed, and scripts need not act on it.
    """
    found = worst(test.verdict for test in tests)
    if interrupted or found is Verdict.FAIL:
        return ExitCode.FAILED
    if found is Verdict.WARN and warn_exits_77:
        return ExitCode.WARNED
    return ExitCode.OK

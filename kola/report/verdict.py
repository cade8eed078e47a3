"""From the verdicts of tests to one verdict, and to the exit status people script against."""

from __future__ import annotations

from collections.abc import Iterable
from enum import IntEnum

from kola.model import Verdict
from kola.report.result import TestResult

_SEVERITY = {
    Verdict.SKIP: 0,
    Verdict.PASS: 1,
    Verdict.FLAKY: 2,
    Verdict.WARN: 3,
    Verdict.FAIL: 4,
}


class ExitCode(IntEnum):
    """kola's exit status; 77 only when `--on-warn-failure-exit-77` asked for it."""

    OK = 0
    FAILED = 1
    USAGE = 2
    WARNED = 77


def worst(verdicts: Iterable[Verdict]) -> Verdict:
    """The worst of them; PASS of none, since a run from which everything was filtered succeeded."""
    return max(verdicts, key=_SEVERITY.__getitem__, default=Verdict.PASS)


def overall(tests: Iterable[TestResult]) -> Verdict:
    """PASS, WARN or FAIL for the whole run, in the words a reader of kola's report.json knows.

    A flaky test warns. Skips do not matter, and infrastructure failures are failures.
    """
    match worst(test.verdict for test in tests):
        case Verdict.FAIL:
            return Verdict.FAIL
        case Verdict.WARN | Verdict.FLAKY:
            return Verdict.WARN
        case _:
            return Verdict.PASS


def exit_code(tests: Iterable[TestResult], *, warn_exits_77: bool, interrupted: bool = False) -> ExitCode:
    """The exit status of a run; an interrupted one failed whatever its tests said.

    77 is for tests that only warn. A flaky test passed, and asks nobody's script to do anything.
    """
    found = worst(test.verdict for test in tests)
    if interrupted or found is Verdict.FAIL:
        return ExitCode.FAILED
    if found is Verdict.WARN and warn_exits_77:
        return ExitCode.WARNED
    return ExitCode.OK

"""Results as values: there and back through JSON, and reduced to one verdict."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from report_samples import EVERY, FAILED, FLAKY, NESTED, PASSED, SKIPPED, WARNED

from kola.cases.model import FailureKind, Verdict
from kola.report import TestResult, exit_code, overall


@pytest.mark.parametrize("result", EVERY, ids=lambda result: result.name)
def test_a_result_survives_the_way_through_json(result: TestResult) -> None:
    assert TestResult.from_json(json.loads(json.dumps(result.to_json()))) == result


def test_subtests_come_before_their_parent_under_full_names() -> None:
    deep = replace(PASSED, name="x", subtests=(replace(PASSED, name="y", subtests=(PASSED,)),))
    assert [entry.name for entry in deep.walk()] == ["x/y/basic", "x/y", "x"]


@pytest.mark.parametrize(
    ("tests", "result", "code", "code_77"),
    [
        ((), Verdict.PASS, 0, 0),
        ((SKIPPED,), Verdict.PASS, 0, 0),
        ((PASSED, SKIPPED), Verdict.PASS, 0, 0),
        ((PASSED, FLAKY), Verdict.WARN, 0, 0),
        ((FLAKY, WARNED, PASSED), Verdict.WARN, 0, 77),
        ((WARNED, FAILED, PASSED), Verdict.FAIL, 1, 1),
        ((NESTED,), Verdict.FAIL, 1, 1),
        ((replace(FAILED, kind=FailureKind.INFRASTRUCTURE),), Verdict.FAIL, 1, 1),
    ],
)
def test_the_verdict_of_a_run_and_its_exit_status(
    tests: tuple[TestResult, ...], result: Verdict, code: int, code_77: int
) -> None:
    assert overall(tests) is result
    assert exit_code(tests, warn_exits_77=False) == code
    assert exit_code(tests, warn_exits_77=True) == code_77


def test_an_interrupted_run_failed() -> None:
    assert exit_code([WARNED], warn_exits_77=True, interrupted=True) == 1

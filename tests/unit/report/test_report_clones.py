"""The choice of clones to verify, and the report on those that a cold boot contradicts."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from report_samples import FAILED, NESTED, PASSED, SKIPPED, run_of

from kola.cases.model import FailureKind, Verdict
from kola.report import Palette, TestResult, closing_line, compare, sample, summary
from kola.report.report_json import report
from kola.report.tap import tap

CLONE = replace(PASSED, boot=("clone",))
COLD_FAILURE = replace(FAILED, name="basic", boot=("cold",), reason="kernel-panic: no root")
WHY = "guest: kernel-panic: kernel-panic: no root"


def clones(count: int) -> list[TestResult]:
    return [replace(CLONE, name=f"t{number}") for number in range(count)]


@pytest.mark.parametrize(("count", "chosen"), [(0, 0), (1, 1), (10, 1), (11, 2), (95, 10), (500, 10)])
def test_a_tenth_is_verified_but_one_at_least_and_ten_at_most(count: int, chosen: int) -> None:
    assert len(sample(clones(count))) == chosen


def test_the_sample_is_always_the_same() -> None:
    assert sample(clones(40)) == sample(reversed(clones(40)))


@pytest.mark.parametrize(
    "test",
    [
        replace(CLONE, boot=("clone", "cold")),
        replace(CLONE, boot=()),
        replace(SKIPPED, boot=("clone",)),
        replace(NESTED, boot=("clone",)),
        replace(CLONE, verdict=Verdict.FAIL, kind=FailureKind.INFRASTRUCTURE),
    ],
)
def test_what_says_nothing_of_clones_is_not_verified(test: TestResult) -> None:
    assert sample([test]) == []


@pytest.mark.parametrize(
    ("clone", "cold", "agrees"),
    [
        (Verdict.PASS, Verdict.PASS, True),
        (Verdict.PASS, Verdict.WARN, True),
        (Verdict.FAIL, Verdict.FAIL, True),
        (Verdict.PASS, Verdict.FAIL, False),
        (Verdict.FAIL, Verdict.PASS, False),
        (Verdict.FLAKY, Verdict.FAIL, False),
    ],
)
def test_only_a_pass_against_a_failure_is_a_disagreement(clone: Verdict, cold: Verdict, agrees: bool) -> None:
    (one,) = compare([replace(CLONE, verdict=clone)], [replace(CLONE, verdict=cold)], Path("v"))
    assert one.disagrees is not agrees


def test_no_cold_machine_is_no_disagreement() -> None:
    lost = replace(COLD_FAILURE, kind=FailureKind.INFRASTRUCTURE, cause="qemu-exited")
    for cold in ([], [lost], [replace(SKIPPED, name="basic")]):
        (one,) = compare([CLONE], cold, Path("v"))
        assert (one.known, one.disagrees) == (False, False)
        assert "basic could not be verified: " in one.sentence


def test_a_disagreement_shows_everywhere() -> None:
    found = tuple(compare([CLONE], [COLD_FAILURE], Path("verify-clones")))
    run = run_of(CLONE, clones=found)
    said = summary(run, palette=Palette(False))
    assert "0 of 1 verified with a cold boot agree" in said
    assert (
        "CLONE  basic passed in a clone and failed cold: guest: kernel-panic: kernel-panic: no root" in said
    )
    assert "/out/verify-clones/ignition.once/0b1c" in said
    assert closing_line(run, palette=Palette(False)).startswith("FAIL")
    assert "# CLONE basic passed in a clone and failed cold" in tap(run)
    (entry,) = report(run)["clones"]
    assert (entry["clone"], entry["cold"], entry["agrees"]) == ("PASS", "FAIL", False)


def test_a_clone_that_failed_alone_says_with_what() -> None:
    (one,) = compare([replace(COLD_FAILURE, boot=("clone",))], [PASSED], Path("v"))
    assert one.sentence == f"basic passed cold and failed in a clone: {WHY}"

"""Comparison of tests in clones with the same tests on machines that were booted for them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from kola.cases.model import FailureKind, Verdict
from kola.report.comparison import Comparison
from kola.report.result import TestResult

_SHARE = 10
_MOST = 10


def sample(tests: Iterable[TestResult]) -> list[TestResult]:
    """Return a tenth, at most ten, of the tests that ran only in clones: always the same for the same tests.

    Tests that never got their machine, and skipped ones, do not count.
    """
    judged = [test for test in tests if _is_about_clones(test)]
    judged.sort(key=lambda test: hashlib.sha256(test.name.encode(errors="surrogatepass")).digest())
    return sorted(judged[: min(_MOST, -(-len(judged) // _SHARE))], key=lambda test: test.name)


def compare(chosen: Sequence[TestResult], cold: Sequence[TestResult], directory: Path) -> list[Comparison]:
    """Compare each of `chosen` with the result of its name in `cold`, whose files are in `directory`."""
    again = {test.name: test for test in cold}
    return [_compare(test, again.get(test.name), directory) for test in chosen]


def _compare(clone: TestResult, cold: TestResult | None, directory: Path) -> Comparison:
    if cold is None:
        return Comparison(clone.name, clone.verdict, None, "it did not run")
    machines = tuple(directory / path for path in cold.machines)
    if cold.kind is FailureKind.INFRASTRUCTURE and cold.failed:
        return Comparison(clone.name, clone.verdict, None, f"no cold machine: {cold.cause}", machines)
    if cold.verdict is Verdict.SKIP:
        return Comparison(clone.name, clone.verdict, None, f"skipped: {cold.reason}", machines)
    found = Comparison(clone.name, clone.verdict, cold.verdict, machines=machines)
    if not found.disagrees:
        return found
    failed = cold if cold.failed else clone
    words = (failed.kind.value if failed.kind else "", failed.cause, failed.reason.partition("\n")[0])
    return replace(found, why=": ".join(word for word in words if word))


def _is_about_clones(test: TestResult) -> bool:
    return (
        not test.subtests
        and test.verdict is not Verdict.SKIP
        and test.kind is not FailureKind.INFRASTRUCTURE
        and bool(test.boot)
        and all(how != "cold" for how in test.boot)
    )

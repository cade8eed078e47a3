"""`reports/report.json`, in the format of mantle's harness/reporters/json.go, with keys of our own added."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from kola.model import Verdict
from kola.report.files import write_json
from kola.report.result import RunResult, TestResult
from kola.report.verdict import overall

_NANOSECONDS = 1_000_000_000


def write_report(run: RunResult, path: Path) -> None:
    """Write the report of `run` to `path`, in one piece."""
    write_json(path, report(run))


def report(run: RunResult) -> dict[str, Any]:
    """The report as JSON data.

    `tests` is flat, as kola's is: a subtest is an entry `parent/sub` before its parent's, whose
    `subtests` holds the bare names, or null. A kola reader finds only PASS, FAIL, WARN and SKIP.
    """
    return {
        "tests": [_entry(entry) for test in run.tests for entry in test.walk()],
        "result": overall(run.tests).value,
        "platform": run.platform,
        "version": run.version,
        "distro": run.distro,
        "arch": run.arch,
        "started": run.started.isoformat(),
        "duration": round(run.seconds * _NANOSECONDS),
        "exit_code": run.exit_code,
        "filtered": [{"name": f.name, "stage": f.stage, "reason": f.reason} for f in run.filtered],
        "notices": list(run.notices),
        "interrupted": run.interrupted,
        "clones": [comparison.to_json() for comparison in run.clones],
    }


def _entry(test: TestResult) -> dict[str, Any]:
    flaky = test.verdict is Verdict.FLAKY
    return {
        "name": test.name,
        "subtests": [sub.name for sub in test.subtests] or None,
        "result": (Verdict.WARN if flaky else test.verdict).value,
        "duration": round(test.seconds * _NANOSECONDS),
        "output": test.output,
        "flaky": flaky,
        "kind": test.kind.value if test.kind else None,
        "cause": test.cause,
        "reason": test.reason,
        "boot": list(test.boot),
        "machines": [str(path) for path in test.machines],
        "attempts": test.attempts,
        "nodeid": test.nodeid,
    }

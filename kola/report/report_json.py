"""The writer of `reports/report.json`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from kola.cases.model import Verdict
from kola.report.comparison import Comparison
from kola.report.files import write_json
from kola.report.report_file import CloneEntry, Entry, FilteredEntry, ReportFile
from kola.report.result import RunResult, TestResult
from kola.report.verdict import verdict_of

_NANOSECONDS = 1_000_000_000


def write_report(run: RunResult, path: Path) -> None:
    """Write the report of `run` to `path` atomically."""
    write_json(path, report(run))


def report(run: RunResult) -> dict[str, Any]:
    """Return the report as JSON data.

    `tests` is flat, as kola's is: a subtest is an entry `parent/sub` before its parent's, whose `subtests`
    holds the bare names, or null. A kola reader finds only PASS, FAIL, WARN and SKIP.
    """
    file = ReportFile(
        tests=tuple(_entry(entry) for test in run.tests for entry in test.walk()),
        result=verdict_of(run).value,  # type: ignore[arg-type]  # never SKIP or FLAKY
        platform=run.platform,
        version=run.version,
        distro=run.distro,
        arch=run.arch,
        started=run.started,
        duration=round(run.seconds * _NANOSECONDS),
        exit_code=run.exit_code,
        filtered=tuple(FilteredEntry(name=f.name, stage=f.stage, reason=f.reason) for f in run.filtered),
        notices=run.notices,
        interrupted=run.interrupted,
        clones=tuple(_clone(comparison) for comparison in run.clones),
    )
    return {**file.model_dump(mode="python", exclude={"started"}), "started": run.started.isoformat()}


def _entry(test: TestResult) -> Entry:
    flaky = test.verdict is Verdict.FLAKY
    return Entry(
        name=test.name,
        subtests=tuple(sub.name for sub in test.subtests) or None,
        result=Verdict.WARN if flaky else test.verdict,
        duration=round(test.seconds * _NANOSECONDS),
        output=test.output,
        flaky=flaky,
        kind=test.kind,
        cause=test.cause,
        reason=test.reason,
        boot=test.boot,
        machines=tuple(str(path) for path in test.machines),
        hosts=test.hosts,
        attempts=test.attempts,
        nodeid=test.nodeid,
        started=test.started,
    )


def _clone(one: Comparison) -> CloneEntry:
    return CloneEntry(
        name=one.name,
        clone=one.clone,
        cold=one.cold,
        agrees=not one.disagrees if one.known else None,
        why=one.why,
        machines=tuple(str(path) for path in one.machines),
    )

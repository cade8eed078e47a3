"""A reader of `report.json`, ours or the Go kola's, that returns the run."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from harness.util.jsonfile import JsonFile
from harness.util.sizes import GIB
from kola.cases.model import Verdict
from kola.report.comparison import Comparison
from kola.report.report_file import CloneEntry, Entry, ReportFile
from kola.report.result import Filtered, RunResult, TestResult

_FORMAT = JsonFile(ReportFile, "a kola report", limit=GIB)
_NANOSECONDS = 1_000_000_000


def read_report(path: Path) -> RunResult:
    """Return the run of a report; `output_dir` is derived from its path.

    Raises ConfigError for any other file.

    Values that the Go kola does not write are empty; the exit code then follows from the result.
    """
    file = read_file(path)
    failed = file.result == "FAIL"
    return RunResult(
        tests=_nested(file.tests or ()),
        platform=file.platform,
        version=file.version,
        distro=file.distro,
        arch=file.arch,
        started=file.started or datetime.fromtimestamp(path.stat().st_mtime, UTC),
        seconds=file.duration / _NANOSECONDS,
        output_dir=path.absolute().parent.parent,
        exit_code=file.exit_code if file.exit_code is not None else int(failed),
        filtered=tuple(Filtered(one.name, one.stage, one.reason) for one in file.filtered),
        notices=file.notices,
        interrupted=file.interrupted,
        clones=tuple(_comparison(one) for one in file.clones),
    )


def read_file(path: Path) -> ReportFile:
    """Return the content of a report as it is written. Raises ConfigError for any other file."""
    return _FORMAT.read(path)


def _nested(entries: tuple[Entry, ...]) -> tuple[TestResult, ...]:
    """Return the tests of the top level, each with its subtests, which precede it in the list."""
    found: dict[str, TestResult] = {}
    for entry in entries:
        subtests = []
        for name in entry.subtests or ():
            sub = found.pop(f"{entry.name}/{name}", None)
            if sub is not None:
                subtests.append(replace(sub, name=name))
        found[entry.name] = _result(entry, tuple(subtests))
    return tuple(found.values())


def _result(entry: Entry, subtests: tuple[TestResult, ...]) -> TestResult:
    return TestResult(
        name=entry.name,
        verdict=Verdict.FLAKY if entry.flaky else entry.result,
        seconds=entry.duration / _NANOSECONDS,
        output=entry.output,
        kind=entry.kind,
        cause=entry.cause,
        boot=entry.boot,
        machines=tuple(Path(machine) for machine in entry.machines),
        subtests=subtests,
        nodeid=entry.nodeid,
        attempts=entry.attempts,
        reason=entry.reason,
        started=entry.started,
    )


def _comparison(one: CloneEntry) -> Comparison:
    machines = tuple(Path(machine) for machine in one.machines)
    return Comparison(one.name, one.clone, one.cold, one.why, machines)

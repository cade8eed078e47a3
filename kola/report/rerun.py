"""The tests of the last run that `kola rerun` repeats."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from harness.errors import ConfigError
from kola.cases.model import Verdict
from kola.report.layout import PROPERTIES_FILE, REPORT_FILE, REPORTS, RERUN
from kola.report.read import read_file
from kola.report.report_file import Entry

_BUCKET = re.compile(r"non-exclusive-test-bucket-\d+")
_HINT = "run kola run first, or name its directory with --output-dir"


def last_run(directories: Iterable[Path]) -> Path:
    """Return the output directory of the newest run in these directories.

    Raises ConfigError if there is none.

    A default output directory is found through its `<platform>-latest` link, an earlier rerun inside the
    directory whose tests it repeated.
    """
    looked_in = list(directories)
    found = {
        base: max(file.stat().st_mtime for file in files)
        for directory in looked_in
        for base in (directory, *sorted(directory.glob("*-latest")), *sorted(directory.glob(f"{RERUN}*")))
        if (files := [file for file in (_report(base), base / PROPERTIES_FILE) if file.is_file()])
    }
    if not found:
        places = ", ".join(str(directory) for directory in looked_in)
        raise ConfigError(f"no report of an earlier run in {places}", hint=_HINT)
    return max(found, key=lambda base: found[base])


def names_again(output: Path, chosen: Iterable[str]) -> tuple[str, ...]:
    """Return the tests that failed, and those of `chosen` without a verdict because the run was cut short."""
    report = _report(output)
    if not report.is_file():
        return tuple(chosen)
    entries = _entries(report)
    ran = {entry.name for entry in entries} | {sub for entry in entries for sub in entry.subtests or ()}
    return (*failed_names(report), *(name for name in chosen if name not in ran))


def failed_names(report: Path) -> tuple[str, ...]:
    """Return the tests that a report.json, ours or the Go kola's, lists as FAIL, in its order.

    Subtests run again with their parent. A bucket is not a test: its failed members are returned instead, or
    all of them when it failed before any began.
    """
    entries = _entries(report)
    members = {f"{entry.name}/{sub}" for entry in entries for sub in entry.subtests or ()}
    failed = {entry.name for entry in entries if entry.result is Verdict.FAIL}
    names: dict[str, None] = {}
    for entry in entries:
        if entry.result is not Verdict.FAIL:
            continue
        if _BUCKET.fullmatch(entry.name):
            own = [sub for sub in entry.subtests or () if f"{entry.name}/{sub}" in failed]
            for name in own or entry.subtests or ():
                names[name] = None
        elif entry.name not in members:
            names[entry.name] = None
    return tuple(names)


def _report(output: Path) -> Path:
    return output / REPORTS / REPORT_FILE


def as_pattern(name: str) -> str:
    """Return the pattern that matches exactly this test name."""
    return re.sub(r"([*?\[\]\\])", r"\\\1", name)


def _entries(report: Path) -> Sequence[Entry]:
    if not report.exists():
        raise ConfigError("no report of an earlier run", file=report, hint=_HINT)
    try:
        return read_file(report).tests or ()
    except ConfigError as error:
        raise ConfigError(error.message, file=report, line=error.line, hint=_HINT) from None

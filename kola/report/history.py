"""The last verdict on every test, from all existing reports."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from harness.errors import ConfigError
from kola.report.layout import REPORT_FILE, REPORTS
from kola.report.read import read_report

LEFT_OUT = "left out"
"""The verdict on a test that a filter of the run removed because of the system or the build."""

_ABOUT_THE_SYSTEM = ("feature", "platform", "architecture", "distro", "firmware", "required-tag", "denylist")


def reports_in(directory: Path) -> list[Path]:
    """Return the reports of an output directory, or of those below it, newest first."""
    found = {
        file.resolve()
        for base in (directory, *directory.glob("*/"))
        if (file := base / REPORTS / REPORT_FILE).is_file()
    }
    return sorted(found, key=lambda file: file.stat().st_mtime, reverse=True)


def last_verdicts(reports: Iterable[Path]) -> dict[str, str]:
    """Return the verdict on each test from the first report that contains the test.

    A report that cannot be read is skipped.
    """
    verdicts: dict[str, str] = {}
    for report in reports:
        for name, verdict in _verdicts(report).items():
            verdicts.setdefault(name, verdict)
    return verdicts


def _verdicts(report: Path) -> dict[str, str]:
    try:
        run = read_report(report)
    except ConfigError:
        return {}
    found = {one.name: LEFT_OUT for one in run.filtered if one.stage in _ABOUT_THE_SYSTEM}
    return found | {entry.name: str(entry.verdict) for test in run.tests for entry in test.walk()}

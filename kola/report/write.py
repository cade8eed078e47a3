"""Writing of all reports of a run, into its output directory and to other requested paths."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from kola.report.junit import write_junit
from kola.report.layout import JUNIT_FILE, REPORT_FILE, REPORTS, TAP_FILE
from kola.report.report_json import write_report
from kola.report.result import RunResult
from kola.report.tap import write_tap


def write_reports(run: RunResult, *, taps: Iterable[Path] = (), junits: Iterable[Path] = ()) -> None:
    """Write report.json, test.tap and junit.xml, and copies of the latter two to the given paths.

    Raises InfrastructureError when one cannot be written.
    """
    write_report(run, run.output_dir / REPORTS / REPORT_FILE)
    for path in (run.output_dir / TAP_FILE, *taps):
        write_tap(run, path)
    for path in (run.output_dir / REPORTS / JUNIT_FILE, *junits):
        write_junit(run, path)

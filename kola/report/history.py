"""The last word on every test, from all reports that lie about."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from kola.model import Verdict
from kola.report.layout import REPORT_FILE, REPORTS

_WORST_FIRST = (Verdict.FAIL, Verdict.WARN, Verdict.FLAKY, Verdict.PASS, Verdict.SKIP)
LEFT_OUT = "left out"
"""The verdict on a test that a filter of the run took away for what the system or the build is."""

_ABOUT_THE_SYSTEM = ("feature", "platform", "architecture", "distro", "firmware", "required-tag", "denylist")


def reports_in(directory: Path) -> list[Path]:
    """The reports of an output directory, or of those below it, newest first."""
    found = {
        file.resolve()
        for base in (directory, *directory.glob("*/"))
        if (file := base / REPORTS / REPORT_FILE).is_file()
    }
    return sorted(found, key=lambda file: file.stat().st_mtime, reverse=True)


def last_verdicts(reports: Iterable[Path]) -> dict[str, str]:
    """By test name what the first of the reports that knows the test says of it.

    Of a parametrized test that is the worst. A report that cannot be read says nothing.
    """
    verdicts: dict[str, str] = {}
    for report in reports:
        for name, verdict in _verdicts(report).items():
            verdicts.setdefault(name, verdict)
    return verdicts


def _verdicts(report: Path) -> dict[str, str]:
    try:
        content = json.loads(report.read_text(encoding="utf-8"))
        tests, filtered = content.get("tests") or [], content.get("filtered") or []
        found = {entry["name"]: LEFT_OUT for entry in filtered if entry["stage"] in _ABOUT_THE_SYSTEM}
        said: dict[str, list[str]] = {}
        for entry in tests:
            said.setdefault(entry["name"].partition("[")[0], []).append(_verdict(entry))
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}
    worst = {name: next(str(one) for one in _WORST_FIRST if one in words) for name, words in said.items()}
    return found | worst


def _verdict(entry: dict[str, Any]) -> str:
    return str(Verdict.FLAKY if entry.get("flaky") else Verdict(entry["result"]))

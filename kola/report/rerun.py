"""Which tests of the last run failed, for `kola rerun`."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.errors import ConfigError
from kola.report.layout import REPORT_FILE, REPORTS

_BUCKET = re.compile(r"non-exclusive-test-bucket-\d+")
_HINT = "run kola run first, or name its directory with --output-dir"


def last_report(directories: Iterable[Path]) -> Path:
    """The newest `reports/report.json` below these output directories; ConfigError if there is none.

    A default output directory is found through its `<platform>-latest` link.
    """
    looked_in = list(directories)
    found = [
        file
        for directory in looked_in
        for base in (directory, *sorted(directory.glob("*-latest")))
        if (file := base / REPORTS / REPORT_FILE).is_file()
    ]
    if not found:
        places = ", ".join(str(directory) for directory in looked_in)
        raise ConfigError(f"no report of an earlier run in {places}", hint=_HINT)
    return max(found, key=lambda file: file.stat().st_mtime)


def failed_names(report: Path) -> tuple[str, ...]:
    """The tests that a report.json, ours or the Go kola's, says FAILed, in its order.

    Subtests run again with their parent. A bucket is no test: its failed members are, or all of them
    when it failed before any began.
    """
    entries = _entries(report)
    members = {f"{entry.name}/{sub}" for entry in entries for sub in entry.subtests}
    names: dict[str, None] = {}
    for entry in entries:
        if not entry.failed:
            continue
        if _BUCKET.fullmatch(entry.name):
            own = [f for f in entries if f.failed and f.name in {f"{entry.name}/{s}" for s in entry.subtests}]
            for name in [f.name.removeprefix(f"{entry.name}/") for f in own] or entry.subtests:
                names[name] = None
        elif entry.name not in members:
            names[entry.name] = None
    return tuple(names)


def as_pattern(name: str) -> str:
    """The pattern that matches exactly this test name."""
    return re.sub(r"([*?\[\]\\])", r"\\\1", name)


@dataclass(frozen=True)
class _Entry:
    name: str
    failed: bool
    subtests: tuple[str, ...]


def _entries(report: Path) -> list[_Entry]:
    try:
        content = json.loads(report.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigError("no report of an earlier run", file=report, hint=_HINT) from None
    except json.JSONDecodeError as error:
        raise ConfigError(f"not JSON: {error.msg}", file=report, line=error.lineno, hint=_HINT) from None
    except UnicodeDecodeError:
        raise ConfigError("not JSON: not even UTF-8 text", file=report, hint=_HINT) from None
    except OSError as error:
        raise ConfigError(f"cannot be read: {error.strerror}", file=report) from error
    tests = content.get("tests") if isinstance(content, dict) else None
    if tests is None and isinstance(content, dict) and "tests" in content:
        return []  # the Go kola writes null for a run without tests
    if not isinstance(tests, list):
        raise ConfigError("not a kola report: it has no list `tests`", file=report, hint=_HINT)
    return [_entry(test, report) for test in tests]


def _entry(test: Any, report: Path) -> _Entry:
    if not isinstance(test, dict) or not isinstance(test.get("name"), str):
        raise ConfigError("not a kola report: a test without a name", file=report, hint=_HINT)
    subtests = test.get("subtests") or ()
    return _Entry(test["name"], test.get("result") == "FAIL", tuple(str(sub) for sub in subtests))

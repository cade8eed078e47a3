"""`test.tap`: the Test Anything Protocol (testanything.org), in the dialect kola writes."""

from __future__ import annotations

from pathlib import Path

from kola.model import Verdict
from kola.report.console import headline
from kola.report.files import write_text
from kola.report.result import RunResult, TestResult


def write_tap(run: RunResult, path: Path) -> None:
    """Write the TAP of `run` to `path`, in one piece."""
    write_text(path, tap(run))


def tap(run: RunResult) -> str:
    """`1..N` and a line for each test of the top level; what only warns is `ok`, with a comment."""
    lines = [f"1..{len(run.tests)}"]
    for test in run.tests:
        lines.extend(_lines(test))
    for comparison in run.disagreements:
        lines.append(f"# CLONE {_one_line(comparison.sentence)}")
    if run.interrupted:
        lines.append(f"Bail out! {_escaped(run.interrupted)}")
    return "\n".join(lines) + "\n"


def _lines(test: TestResult) -> list[str]:
    name = _escaped(test.name)
    match test.verdict:
        case Verdict.FAIL:
            why = headline(test)
            return [f"not ok - {name}", *([f"# {_one_line(why)}"] if why else [])]
        case Verdict.SKIP:
            return [f"ok - {name} # SKIP {_one_line(test.reason)}".rstrip()]
        case Verdict.WARN:
            return [f"ok - {name}", f"# WARN {_one_line(test.reason or test.cause)}".rstrip()]
        case Verdict.FLAKY:
            return [f"ok - {name}", f"# FLAKY passed at attempt {test.attempts}"]
        case Verdict.PASS:
            return [f"ok - {name}"]


def _escaped(text: str) -> str:
    """A backslash before what would start a directive, and nothing that ends the line."""
    return _one_line(text).replace("\\", "\\\\").replace("#", "\\#")


def _one_line(text: str) -> str:
    return " ".join(text.split())

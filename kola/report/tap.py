"""`test.tap`: the Test Anything Protocol (testanything.org), in kola's dialect."""

from __future__ import annotations

from pathlib import Path

from kola.cases.model import Verdict
from kola.report.console import headline
from kola.report.files import write_text
from kola.report.result import RunResult, TestResult
from kola.report.telling import plain, telling_line


def write_tap(run: RunResult, path: Path) -> None:
    """Write the TAP of `run` to `path` atomically."""
    write_text(path, tap(run))


def tap(run: RunResult) -> str:
    """Return `1..N` and a line for each test of the top level; warnings are `ok`, with a comment."""
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
            why = [line for line in (headline(test), *plain(test.reason).splitlines()[:1]) if line.strip()]
            if not test.reason:
                failed = ", ".join(sub.name for sub in test.subtests if sub.failed)
                why += [line for line in (telling_line(test.output), failed and f"in {failed}") if line]
            return [f"not ok - {name}", *(f"# {_one_line(line)}" for line in why)]
        case Verdict.SKIP:
            return [f"ok - {name} # SKIP {_one_line(test.reason)}".rstrip()]
        case Verdict.WARN:
            return [f"ok - {name}", f"# WARN {_one_line(test.reason or test.cause)}".rstrip()]
        case Verdict.FLAKY:
            return [f"ok - {name}", f"# FLAKY passed at attempt {test.attempts}"]
        case Verdict.PASS:
            return [f"ok - {name}"]


def _escaped(text: str) -> str:
    """Escape characters that would start a directive, and remove line ends."""
    return _one_line(text).replace("\\", "\\\\").replace("#", "\\#")


def _one_line(text: str) -> str:
    return " ".join(text.split())

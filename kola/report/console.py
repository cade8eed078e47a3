"""Console output during a run, in the line format that kola's users know."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import TextIO

from harness.util.ansi import is_dumb
from harness.util.language import localized, tr
from kola.cases.model import Verdict
from kola.report.result import TestResult
from kola.report.telling import plain

_STEP = "    "
_SHOWN_LINES = 40

_CODES = {
    Verdict.PASS: "32",
    Verdict.FAIL: "31;1",
    Verdict.WARN: "33",
    Verdict.FLAKY: "33",
    Verdict.SKIP: "34",
}


@dataclass(frozen=True)
class Palette:
    """Colours, or none."""

    on: bool

    @classmethod
    def of(cls, out: TextIO, environ: Mapping[str, str] = os.environ) -> Palette:
        """Return colours only on a terminal that supports them, and when NO_COLOR (no-color.org) is not
        set.
        """
        return cls(out.isatty() and not environ.get("NO_COLOR") and not is_dumb(environ))

    def verdict(self, verdict: Verdict, text: str | None = None) -> str:
        return self._paint(_CODES[verdict], text if text is not None else verdict.value)

    def bold(self, text: str) -> str:
        return self._paint("1", text)

    def dim(self, text: str) -> str:
        return self._paint("2", text)

    def _paint(self, code: str, text: str) -> str:
        return f"\033[{code}m{text}\033[0m" if self.on and text else text


class Console:
    """A writer of a run's lines to `out`, each piece in one write so that parallel tests do not mix."""

    def __init__(
        self,
        out: TextIO,
        *,
        palette: Palette | None = None,
        verbose: bool = False,
        with_hosts: bool = False,
    ) -> None:
        """`verbose` also shows the output of tests that passed; `with_hosts` which host ran each test."""
        self._out = out
        self._with_hosts = with_hosts
        self._verbose = verbose
        self.palette = palette or Palette.of(out)

    def started(self, name: str) -> None:
        self.write(f"=== RUN   {plain(name)}\n")

    def finished(self, result: TestResult, *, shown: Collection[str] = ()) -> None:
        """Print the verdict, then the reason or the end of the output, then the subtests indented by four.

        Subtests that were `shown` as they ended are not repeated.
        """
        left = tuple(sub for sub in result.subtests if sub.name not in shown)
        self.write("".join(f"{line}\n" for line in self._lines(replace(result, subtests=left), depth=0)))

    def member(self, bucket: str, result: TestResult) -> None:
        """Print the verdict on one test of a bucket that still runs."""
        named = replace(result, name=f"{bucket}/{result.name}")
        self.write("".join(f"{line}\n" for line in self._lines(named, depth=1)))

    def write(self, text: str) -> None:
        """Write and flush; characters that the stream's encoding lacks become `?`."""
        encoding = self._out.encoding or "utf-8"
        self._out.write(text.encode(encoding, "replace").decode(encoding))
        self._out.flush()

    def _explanation(self, result: TestResult) -> list[str]:
        lines = _explanation(result)
        if self._verbose and result.verdict in (Verdict.PASS, Verdict.FLAKY):
            lines += _tail(plain(result.output).splitlines())
        return lines

    def _lines(self, result: TestResult, *, depth: int) -> list[str]:
        indent = _STEP * depth
        word = self.palette.verdict(result.verdict)
        where = f" on {', '.join(result.hosts)}" if self._with_hosts and result.hosts else ""
        lines = [f"{indent}--- {word}: {plain(result.name)} ({result.seconds:.2f}s){where}"]
        lines += [f"{indent}{_STEP * 2}{line}".rstrip() for line in self._explanation(result)]
        for sub in result.subtests:
            lines += self._lines(_under(result, sub), depth=depth + 1)
        return lines


def headline(result: TestResult) -> str:
    """Return `guest: kernel-panic`: the party that has to act, and the cause; `test failure` without one."""
    if result.kind is None:
        return result.cause
    if result.cause:
        return f"{result.kind.value}: {result.cause}"
    return tr("{kind} failure", kind=result.kind.value)


def passed_at_last(result: TestResult) -> str:
    """Return a sentence about a flaky test."""
    head = headline(result)
    if not head:
        return tr("passed at attempt {count}", count=result.attempts)
    return tr("passed at attempt {count}, before that {cause}", count=result.attempts, cause=head)


def _under(parent: TestResult, sub: TestResult) -> TestResult:
    return replace(sub, name=f"{parent.name}/{sub.name}")


def _explanation(result: TestResult) -> list[str]:
    match result.verdict:
        case Verdict.PASS | Verdict.SKIP:
            return localized(plain(result.reason)).splitlines()
        case Verdict.FLAKY:
            return [passed_at_last(result)]
        case Verdict.WARN | Verdict.FAIL:
            reason, output = (plain(text).splitlines() for text in (result.reason, result.output))
            head = headline(result)
            said = _common_start(reason, output)
            shown = localized("\n".join(reason)).splitlines()
            return [*shown, *([head] if head else []), *_tail(output[said:])]


def _common_start(reason: list[str], output: list[str]) -> int:
    """Return how many lines of the output repeat the reason, whose last line may have been cut short."""
    if not reason or output[: len(reason) - 1] != reason[:-1] or len(output) < len(reason):
        return 0
    return len(reason) if output[len(reason) - 1].startswith(reason[-1].rstrip("…")) else 0


def _tail(lines: list[str]) -> list[str]:
    if len(lines) <= _SHOWN_LINES:
        return lines
    left_out = tr("… {count} earlier lines are in report.json", count=len(lines) - _SHOWN_LINES)
    return [left_out, *lines[-_SHOWN_LINES:]]

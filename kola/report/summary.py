"""The end of a run's console output: the summary for a release engineer, and the closing line."""

from __future__ import annotations

import shlex
from collections import defaultdict
from collections.abc import Callable, Iterable
from pathlib import Path

from harness.util.language import localized, tr
from kola.cases.model import Verdict
from kola.report.console import Palette, headline, passed_at_last
from kola.report.layout import directory_of_test
from kola.report.rerun import as_pattern
from kola.report.result import RunResult, TestResult
from kola.report.telling import LONGEST, plain, shorten, telling_line
from kola.report.verdict import verdict_of

_NAMES_SHOWN = 4


def default_again(run: RunResult) -> Callable[[TestResult], str]:
    """Return the command that runs one test again, for a run without further options."""
    platform = "" if run.platform == "qemu" else f"-p {shlex.quote(run.platform)} "
    return lambda test: f"kola run {platform}{shlex.quote(as_pattern(test.name))}"


def summary(
    run: RunResult,
    *,
    palette: Palette,
    again: Callable[[TestResult], str] | None = None,
) -> str:
    """Return the block before the closing line: failures and their causes, other remarkable tests, the
    counts.

    The worst comes last, next to the prompt. `again` returns the command that runs a test again.
    """
    repeat = again or default_again(run)
    blocks = [
        _notices(run.notices, palette),
        _filtered(run, palette),
        _skipped(run.tests, palette),
        _short(run.tests, palette),
        _clones(run, palette),
        *[_failure(run, test, palette, repeat(test)) for test in run.tests if test.failed],
        _counts(run, palette),
    ]
    return "\n" + "\n\n".join("\n".join(block) for block in blocks if block) + "\n"


def closing_line(run: RunResult, *, palette: Palette) -> str:
    """Return kola's last line: PASS or FAIL, consistent with the exit status, and the output directory."""
    verdict = Verdict.FAIL if verdict_of(run) is Verdict.FAIL else Verdict.PASS
    return f"{palette.verdict(verdict)}, output in {run.output_dir}\n"


def show_seconds(seconds: float) -> str:
    """Format seconds for people: `8.3 s`, `4 min 12 s`, `1 h 02 min`."""
    if round(seconds, 1) < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min"


def _counts(run: RunResult, palette: Palette) -> list[str]:
    counts = [
        palette.verdict(verdict, text.format(count=count))
        for verdict, text in _counted().items()
        if (count := run.count(verdict))
    ]
    if run.filtered:
        counts.append(tr("{count} filtered out", count=len(run.filtered)))
    line = tr(
        "{counts} in {time}: {subject} on {platform}",
        counts=", ".join(counts) or tr("no tests ran"),
        time=show_seconds(run.seconds),
        subject=" ".join(word for word in (run.distro, run.version, run.arch) if word),
        platform=run.platform,
    )
    if not run.interrupted:
        return [line]
    why = tr("interrupted: {reason}", reason=localized(plain(run.interrupted)))
    return [line, palette.verdict(Verdict.FAIL, why)]


def _counted() -> dict[Verdict, str]:
    """Return the texts for numbers of tests, in their order on the line."""
    return {
        Verdict.FAIL: tr("{count} failed"),
        Verdict.WARN: tr("{count} warned"),
        Verdict.FLAKY: tr("{count} flaky"),
        Verdict.SKIP: tr("{count} skipped"),
        Verdict.PASS: tr("{count} passed"),
    }


def _failure(run: RunResult, test: TestResult, palette: Palette, command: str) -> list[str]:
    line = _most_telling(test)
    why = _whole_lines(plain(test.reason))
    repeated = line == headline(test) or _says_the_same(line, why)
    return [
        f"{palette.verdict(Verdict.FAIL)}  {palette.bold(plain(test.name))}  "
        + palette.dim(f"({show_seconds(test.seconds)})"),
        *_indented(f"{headline(test)}{_in_failed_subtests(test)}".strip()),
        *_indented(localized(why)),
        *_indented("" if repeated else line),
        f"      {tr('files')}  {_directory(run.output_dir, test)}",
        *(f"      {tr('enter')}  kola ssh {name}" for name in test.kept),
        f"      {tr('again')}  {command}",
    ]


def _whole_lines(text: str) -> str:
    """Return the first line, and the lines after it that fit whole into the limit of a line."""
    first, *rest = text.splitlines() or [""]
    kept = [shorten(first)]
    for line in rest:
        if len("\n".join([*kept, line])) > LONGEST:
            break
        kept.append(line)
    return "\n".join(kept)


def _says_the_same(line: str, why: str) -> bool:
    """Return True when the reason contains the line, or the line is the reason after an exception's name."""
    first = why.partition("\n")[0]
    return line in why or bool(first and line.endswith(f": {first}"))


def _clones(run: RunResult, palette: Palette) -> list[str]:
    """Return the result of `--verify-clones`; disagreements with name and files."""
    if not run.clones:
        return []
    agreed = sum(one.known and not one.disagrees for one in run.clones)
    said = tr("{agreed} of {count} verified with a cold boot agree", agreed=agreed, count=len(run.clones))
    lines = [f"{palette.bold(tr('CLONES'))}  {said}"]
    for one in run.clones:
        if one.disagrees:
            lines.append(
                f"{palette.verdict(Verdict.FAIL, tr('CLONE'))}  {shorten(localized(plain(one.sentence)))}"
            )
            lines += [f"      {tr('files')}  {run.output_dir / path}" for path in one.machines]
        elif not one.known:
            lines.append(f"      {shorten(localized(plain(one.sentence)))}")
    return lines


def _most_telling(test: TestResult) -> str:
    """Return the most telling line of the test, else of its first failed subtest."""
    own = telling_line(test.output)
    return own or next((line for sub in test.subtests if sub.failed and (line := _most_telling(sub))), "")


def _in_failed_subtests(test: TestResult) -> str:
    failed = [plain(sub.name) for sub in test.subtests if sub.failed]
    return tr(" in {names}", names=_some(failed)) if failed else ""


def _directory(output_dir: Path, test: TestResult) -> Path:
    """Return the machine's own directory if there was only one, else the test's."""
    inside = test.machines[0] if len(test.machines) == 1 else Path(directory_of_test(test.name))
    return output_dir / inside


def _short(tests: Iterable[TestResult], palette: Palette) -> list[str]:
    """Return warnings and flaky tests, a line or two each."""
    lines = []
    for test in tests:
        if test.verdict is Verdict.WARN:
            why = localized(test.reason) or headline(test) or tr("failed, but only warns")
            lines.append(f"{palette.verdict(Verdict.WARN)}  {plain(test.name)}  {shorten(plain(why))}")
            lines += _indented(_most_telling(test))
        elif test.verdict is Verdict.FLAKY:
            lines.append(f"{palette.verdict(Verdict.FLAKY)} {plain(test.name)}  {passed_at_last(test)}")
    return lines


def _skipped(tests: Iterable[TestResult], palette: Palette) -> list[str]:
    reasons: dict[str, list[str]] = defaultdict(list)
    for test in tests:
        if test.verdict is Verdict.SKIP:
            reasons[localized(plain(test.reason)) or tr("no reason given")].append(plain(test.name))
    return [
        f"{palette.verdict(Verdict.SKIP)}  {len(names)} × {shorten(reason)} ({_some(names)})"
        for reason, names in _most_first(reasons)
    ]


def _filtered(run: RunResult, palette: Palette) -> list[str]:
    stages: dict[str, list[str]] = defaultdict(list)
    for entry in run.filtered:
        key = f"{entry.stage}: {localized(entry.reason)}" if entry.reason else entry.stage
        stages[plain(key)].append(plain(entry.name))
    lines = [f"      {len(names)} × {shorten(why)} ({_some(names)})" for why, names in _most_first(stages)]
    return [palette.bold(tr("Filtered out")), *lines] if lines else []


def _notices(notices: Iterable[str], palette: Palette) -> list[str]:
    return [f"{palette.bold(tr('NOTE'))}  {localized(plain(notice))}" for notice in dict.fromkeys(notices)]


def _most_first(groups: dict[str, list[str]]) -> list[tuple[str, list[str]]]:
    return sorted(groups.items(), key=lambda group: -len(group[1]))


def _some(names: list[str]) -> str:
    listed = ", ".join(names[:_NAMES_SHOWN])
    left = len(names) - _NAMES_SHOWN
    return tr("{names} and {count} more", names=listed, count=left) if left > 0 else listed


def _indented(text: str) -> list[str]:
    return [f"      {line}" for line in text.splitlines()]

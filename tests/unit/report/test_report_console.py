"""The terminal output."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import pytest
from report_samples import EVERY, FAILED, FILTERED, FLAKY, NESTED, PASSED, SKIPPED, WARNED, run_of

from kola.cases.model import FailureKind
from kola.report import Console, Palette, TestResult, closing_line, summary
from kola.report.summary import show_seconds
from kola.report.telling import telling_line

PLAIN = Palette(on=False)


def printed(*results: TestResult) -> str:
    out = io.StringIO()
    console = Console(out)
    for result in results:
        console.started(result.name)
        console.finished(result)
    return out.getvalue()


def test_the_lines_of_kola() -> None:
    assert printed(PASSED, SKIPPED) == (
        "=== RUN   basic\n"
        "--- PASS: basic (41.24s)\n"
        "=== RUN   tpm\n"
        "--- SKIP: tpm (0.00s)\n"
        "        no swtpm on this host\n"
    )


def test_a_remark_is_shown_under_a_pass() -> None:
    remark = "config.ign: warning at $.unknown: unused key unknown"
    assert printed(replace(PASSED, reason=remark)).splitlines()[1:] == [
        "--- PASS: basic (41.24s)",
        f"        {remark}",
    ]


def test_subtests_are_indented_by_four_under_full_names() -> None:
    lines = printed(NESTED).splitlines()
    assert "    --- PASS: non-exclusive-test-bucket-12/ext.config.a (1.00s)" in lines
    assert "            grep: error" in lines


def test_a_failure_says_its_kind_and_cause_and_carries_no_escapes() -> None:
    assert "        guest: kernel-panic\n        [ 3.1] Kernel panic - not syncing: no root\n" in printed(
        FAILED
    )
    assert "\x1b" not in printed(FAILED)


def test_output_that_begins_with_the_reason_does_not_repeat_it() -> None:
    evidence = "kernel panic\nlast line\nand the very last"
    failed = replace(FAILED, reason=evidence, output=f"{evidence} of all\nmore")
    assert printed(failed).splitlines()[2:] == [
        *(f"        {line}" for line in evidence.splitlines()),
        "        guest: kernel-panic",
        "        more",
    ]
    other = replace(failed, output=f"first\n{evidence}")
    assert printed(other).count("last line") == 2


def test_the_summary_does_not_say_the_reason_again_behind_an_exception() -> None:
    failed = replace(FAILED, reason="assert 0 == 2\nand more", output="E   AssertionError: assert 0 == 2")
    assert summary(run_of(failed), palette=PLAIN).count("assert 0 == 2") == 1


def test_a_long_output_is_cut_at_its_beginning() -> None:
    output = "\n".join(f"line {n}" for n in range(500))
    lines = printed(replace(FAILED, output=output)).splitlines()
    assert len(lines) < 50
    assert "460 earlier lines" in "\n".join(lines)
    assert lines[-1].strip() == "line 499"


def test_the_summary_of_a_failure_is_enough_to_act_on() -> None:
    text = summary(run_of(PASSED, FAILED), palette=PLAIN)
    assert (
        "FAIL  ignition.once  (12.3 s)\n"
        "      guest: kernel-panic\n"
        "      [ 3.1] Kernel panic - not syncing: no root\n"
        "      files  /out/ignition.once/0b1c\n"
        "      again  kola run ignition.once\n"
    ) in text
    assert text.endswith("\n1 failed, 1 passed in 4 min 12 s: nestos 24.03-LTS.20240903.0 x86_64 on qemu\n")


def test_the_summary_counts_every_verdict_and_names_all_but_the_passed() -> None:
    text = summary(run_of(*EVERY, filtered=FILTERED, notices=("no KVM", "no KVM")), palette=PLAIN)
    assert "2 failed, 1 warned, 1 flaky, 1 skipped, 1 passed, 3 filtered out" in text
    assert "WARN  podman.workflow  denylisted: #12" in text
    assert "FLAKY sometimes  passed at attempt 2, before that infrastructure: qemu-exited" in text
    assert "SKIP  1 × no swtpm on this host (tpm)" in text
    assert "      2 × distro: for fcos only (docker.basic, docker.more)" in text
    assert text.count("no KVM") == 1


def test_a_failed_subtest_lends_its_parent_its_telling_line() -> None:
    text = summary(run_of(NESTED), palette=PLAIN)
    assert "      test failure in ext.config.b\n      grep: error\n" in text


def test_a_failure_shows_the_reason_it_was_given() -> None:
    crashed = replace(
        FAILED, kind=FailureKind.INFRASTRUCTURE, cause="worker-crashed", output="", reason="ended twice"
    )
    text = summary(run_of(crashed), palette=PLAIN)
    assert "      infrastructure: worker-crashed\n      ended twice\n      files" in text


def test_the_command_to_run_again_names_platform_and_quotes_the_name() -> None:
    odd = replace(FAILED, name="test it[a*]", machines=())
    text = summary(run_of(odd, platform="qemu-iso"), palette=PLAIN)
    assert r"again  kola run -p qemu-iso 'test it\[a\*\]'" in text
    assert "again  make rerun" in summary(run_of(odd), palette=PLAIN, again=lambda test: "make rerun")


@pytest.mark.parametrize(
    ("tests", "interrupted", "line"),
    [
        ((PASSED, WARNED, FLAKY), "", "PASS, output in /out\n"),
        ((FAILED,), "", "FAIL, output in /out\n"),
        ((PASSED,), "Ctrl-C", "FAIL, output in /out\n"),
    ],
)
def test_the_closing_line_is_kolas(tests: tuple[TestResult, ...], interrupted: str, line: str) -> None:
    assert closing_line(run_of(*tests, interrupted=interrupted), palette=PLAIN) == line


def test_a_run_without_tests_says_so() -> None:
    assert "no tests ran in" in summary(run_of(), palette=PLAIN)


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("out", "environ", "coloured"),
    [
        (_Terminal(), {"TERM": "xterm"}, True),
        (_Terminal(), {"TERM": "xterm", "NO_COLOR": "1"}, False),
        (_Terminal(), {"TERM": "dumb"}, False),
        (io.StringIO(), {"TERM": "xterm"}, False),
    ],
)
def test_colour_only_where_it_is_wanted(out: io.StringIO, environ: dict[str, str], coloured: bool) -> None:
    palette = Palette.of(out, environ)
    assert ("\x1b[" in closing_line(run_of(PASSED), palette=palette)) is coloured


def test_a_terminal_without_unicode_gets_question_marks_not_a_traceback() -> None:
    raw = io.BytesIO()
    terminal = io.TextIOWrapper(raw, encoding="ascii")
    Console(terminal).write("中 × \udc80\n")
    assert raw.getvalue() == b"? ? ?\n"


@pytest.mark.parametrize(
    ("output", "line"),
    [
        ("", ""),
        ("one\n\ntwo\n", "two"),
        ("error: a\nmore\n", "error: a"),
        ("error: a\nKernel panic - not syncing\nerror: b\n", "Kernel panic - not syncing"),
        (
            "E   OSError: first\n\nDuring handling\n\nE   AssertionError: second\nE     assert 1",
            "AssertionError: second",
        ),
        ("Exit\nEvery unit failed to start\ndone", "Every unit failed to start"),
        ("it is gone\nCaptured systemctl status call:\nunit.service: Failed with result", "it is gone"),
        ("x" * 500, "x" * 199 + "…"),
    ],
)
def test_the_most_telling_line(output: str, line: str) -> None:
    assert telling_line(output) == line


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (8.26, "8.3 s"),
        (59.99, "1 min 00 s"),
        (252, "4 min 12 s"),
        (3599.7, "1 h 00 min"),
        (3725, "1 h 02 min"),
    ],
)
def test_durations_for_people(seconds: float, text: str) -> None:
    assert show_seconds(seconds) == text


def test_the_directory_of_a_test_with_several_machines_is_its_own() -> None:
    both = replace(FAILED, machines=(Path("ignition.once/a"), Path("ignition.once/b")))
    assert "files  /out/ignition.once\n" in summary(run_of(both), palette=PLAIN)

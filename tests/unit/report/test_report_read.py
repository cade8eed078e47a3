"""A report.json read back is the run it was written of, whoever wrote it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from report_samples import EVERY, FAILED, FILTERED, PASSED, run_of

from harness.errors import ConfigError
from kola.cases.model import Verdict
from kola.report import report_json
from kola.report.comparison import Comparison
from kola.report.read import read_report


def test_what_is_written_comes_back(tmp_path: Path) -> None:
    clones = (Comparison("basic", Verdict.PASS, Verdict.FAIL, "it failed", (Path("v/1"),)),)
    path = tmp_path / "reports/report.json"
    started = replace(PASSED, started=1785585900.5)
    run = run_of(
        started, *EVERY[1:], filtered=FILTERED, notices=("no KVM",), clones=clones, output_dir=tmp_path
    )
    report_json.write_report(run, path)
    assert read_report(path) == run


def test_a_run_that_was_cut_short_is_no_pass(tmp_path: Path) -> None:
    path = tmp_path / "reports/report.json"
    report_json.write_report(run_of(PASSED, interrupted="Ctrl-C", exit_code=1), path)
    assert json.loads(path.read_text())["result"] == "FAIL"


def test_the_go_kolas_report_is_read(tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    entries = [
        {"name": "a/sub", "subtests": None, "result": "FAIL", "duration": 5, "output": "x"},
        {"name": "a", "subtests": ["sub"], "result": "FAIL", "duration": 10, "output": ""},
    ]
    path.write_text(json.dumps({"tests": entries, "result": "FAIL", "platform": "qemu", "version": "39"}))
    run = read_report(path)
    assert [(test.name, [sub.name for sub in test.subtests]) for test in run.tests] == [("a", ["sub"])]
    assert (run.exit_code, run.version) == (1, "39")
    path.write_text('{"tests": null}')
    assert read_report(path).tests == ()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", r"report.json:1: not a kola report: not JSON"),
        ("[]", "not a kola report"),
        ("{}", "not a kola report: tests"),
        ('{"tests": [{"name": "a", "result": "GOOD"}]}', r"tests\.0\.result"),
        ("[" * 100000, "not JSON"),
    ],
)
def test_what_is_no_report_is_said_in_a_sentence(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "report.json"
    path.write_text(text)
    with pytest.raises(ConfigError, match=said):
        read_report(path)


def test_no_report_is_a_sentence_too(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        read_report(tmp_path / "none.json")
    assert FAILED.failed

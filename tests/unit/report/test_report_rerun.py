"""The tests that `rerun` takes from the last report."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from report_samples import EVERY, FAILED, NESTED, PASSED, run_of

from harness.errors import ConfigError
from kola.cases.model import Verdict
from kola.report import as_pattern, failed_names, last_run, write_report
from kola.report.rerun import names_again
from kola.select.glob import matches


def written(path: Path, content: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def test_only_what_failed_and_of_a_bucket_its_failed_members(tmp_path: Path) -> None:
    write_report(run_of(*EVERY), tmp_path / "report.json")
    assert failed_names(tmp_path / "report.json") == ("ignition.once", "ext.config.b")


def test_a_failed_subtest_runs_again_with_its_parent(tmp_path: Path) -> None:
    write_report(run_of(replace(NESTED, name="iso-install.bios")), tmp_path / "report.json")
    assert failed_names(tmp_path / "report.json") == ("iso-install.bios",)


def test_a_bucket_that_failed_before_its_members_began_runs_whole(tmp_path: Path) -> None:
    subtests = tuple(replace(sub, verdict=Verdict.SKIP) for sub in NESTED.subtests)
    write_report(run_of(replace(NESTED, subtests=subtests)), tmp_path / "report.json")
    assert failed_names(tmp_path / "report.json") == ("ext.config.a", "ext.config.b")


def test_a_report_of_the_go_kola_is_read(tmp_path: Path) -> None:
    entry = {"name": "basic", "subtests": None, "result": "FAIL", "duration": 1, "output": ""}
    report = written(tmp_path / "r.json", {"tests": [entry], "result": "FAIL", "platform": "", "version": ""})
    assert failed_names(report) == ("basic",)
    assert failed_names(written(tmp_path / "r.json", {"tests": None, "result": "PASS"})) == ()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("{\n  nonsense", r"report\.json:2: not a kola report: not JSON"),
        ([], "not a kola report"),
        ({"result": "PASS"}, "not a kola report: tests is missing"),
        ({"tests": [{"result": "FAIL"}]}, r"not a kola report: tests\.0\.name is missing"),
    ],
)
def test_an_unreadable_report_is_named(tmp_path: Path, content: Any, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        failed_names(written(tmp_path / "report.json", content))


def test_a_report_that_is_not_there_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="kola run first"):
        failed_names(tmp_path / "report.json")
    with pytest.raises(ConfigError, match="no report of an earlier run"):
        last_run([tmp_path])


def test_the_last_report_is_the_newest_also_behind_a_latest_link(tmp_path: Path) -> None:
    older = tmp_path / "reports/report.json"
    newer = tmp_path / "qemu-2026-08-01-1200-7/reports/report.json"
    for age, file in enumerate((older, newer)):
        file.parent.mkdir(parents=True)
        write_report(run_of(PASSED, FAILED), file)
        os.utime(file, (1000 + age, 1000 + age))
    (tmp_path / "qemu-latest").symlink_to("qemu-2026-08-01-1200-7")
    assert last_run([tmp_path]).resolve() == newer.parents[1]
    os.utime(older, (2000, 2000))
    assert last_run([tmp_path / "none", tmp_path]) == tmp_path


def test_a_rerun_inside_of_a_directory_is_its_last_run(tmp_path: Path) -> None:
    for age, directory in enumerate((tmp_path, tmp_path / "rerun", tmp_path / "rerun-2")):
        file = directory / "reports/report.json"
        file.parent.mkdir(parents=True)
        write_report(run_of(FAILED), file)
        os.utime(file, (1000 + age, 1000 + age))
    assert last_run([tmp_path]) == tmp_path / "rerun-2"


def test_what_never_ran_is_to_run_again(tmp_path: Path) -> None:
    report = tmp_path / "reports/report.json"
    assert names_again(tmp_path, ["a", "b"]) == ("a", "b")
    report.parent.mkdir()
    write_report(run_of(PASSED, FAILED), report)
    assert names_again(tmp_path, [PASSED.name, FAILED.name, "c"]) == (FAILED.name, "c")


@pytest.mark.parametrize("name", ["basic", "test_x[a-b]", "a*b?", "back\\slash"])
def test_a_name_as_a_pattern_matches_itself_alone(name: str) -> None:
    assert matches(as_pattern(name), name)
    assert not matches(as_pattern(name), name.replace("a", "b", 1))

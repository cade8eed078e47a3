"""JUnit and Allure: the names kola knows, who is to act, and nothing left out in silence."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from report_samples import EVERY, FAILED, FILTERED, NESTED, PASSED, WARNED, run_of

import kola
from kola.cases.model import FailureKind, Verdict
from kola.report.allure import write_allure
from kola.report.junit import junit
from kola.report.result import Filtered

RUN = run_of(*EVERY, filtered=(*FILTERED, Filtered("quiet", "pattern", "not asked for")))
MEMBERS = {"ext.config.a", "ext.config.b"}
NAMES = {test.name for test in EVERY} - {NESTED.name} | MEMBERS
LEFT_OUT = {one.name for one in FILTERED}


def cases(text: str) -> dict[str, ET.Element]:
    return {case.get("name", ""): case for case in ET.fromstring(text).iter("testcase")}


def facts(element: ET.Element) -> dict[str, str]:
    found = element.findall("properties/property")
    return {one.get("name", ""): one.get("value", "") for one in found}


def test_a_test_case_is_called_as_kola_calls_the_test() -> None:
    assert set(cases(junit(RUN))) == NAMES | LEFT_OUT


def test_the_suite_counts_what_it_holds() -> None:
    (suite,) = ET.fromstring(junit(RUN)).iter("testsuite")
    numbers = {key: suite.get(key) for key in ("tests", "failures", "errors", "skipped")}
    assert numbers == {"tests": "10", "failures": "2", "errors": "0", "skipped": "4"}
    found = facts(suite)
    assert (found["build"], found["kola"], found["verdict"]) == (RUN.version, kola.__version__, "FAIL")
    assert (found["filtered.distro"], found["filtered.pattern"]) == ("2", "1")


def test_a_failure_says_whose_it_is() -> None:
    case = cases(junit(RUN))[FAILED.name]
    failure = case.find("failure")
    assert failure is not None
    assert failure.get("type") == "guest: kernel-panic"
    assert "Kernel panic" in (failure.text or "")
    found = facts(case)
    assert (found["kind"], found["cause"], found["boot"]) == ("guest", "kernel-panic", "cold")
    assert (found["build"], found["kola"]) == (RUN.version, kola.__version__)


@pytest.mark.parametrize("kind", [FailureKind.INFRASTRUCTURE, FailureKind.CONFIG])
def test_what_is_not_the_tests_failure_is_an_error(kind: FailureKind) -> None:
    text = junit(run_of(replace(FAILED, kind=kind)))
    assert cases(text)[FAILED.name].find("error") is not None
    assert 'errors="1"' in text


def test_a_warning_is_shown_as_one_and_fails_nothing() -> None:
    case = cases(junit(RUN))[WARNED.name]
    assert facts(case)["verdict"] == "WARN"
    assert case.findtext("system-err") == "WARN: denylisted: #12"
    assert case.find("failure") is None


def test_what_a_filter_took_out_is_skipped_with_the_reason() -> None:
    skipped = cases(junit(RUN))["fcos.internet"].find("skipped")
    assert skipped is not None
    assert skipped.get("message") == "filtered by denylist: https://tracker/1"


def test_files_of_machines_are_attached(tmp_path: Path) -> None:
    home = tmp_path / FAILED.machines[0]
    home.mkdir(parents=True)
    (home / "console.txt").write_text("login:")
    text = junit(run_of(FAILED, output_dir=tmp_path))
    assert cases(text)[FAILED.name].findtext("system-out") == f"[[ATTACHMENT|{home / 'console.txt'}]]"


def test_no_output_breaks_the_xml() -> None:
    odd = replace(FAILED, output="a\x00b\x1b[31m\ud800 ]]> <&\ufffe", reason="\x08\x00")
    assert FAILED.name in cases(junit(run_of(odd)))


def allure(directory: Path) -> dict[str, dict[str, Any]]:
    found = [json.loads(file.read_text()) for file in directory.glob("*-result.json")]
    assert len({one["historyId"] for one in found}) == len(found)
    return {one["fullName"]: one for one in found}


def test_allure_tells_the_same(tmp_path: Path) -> None:
    home = tmp_path / "out" / FAILED.machines[0]
    home.mkdir(parents=True)
    (home / "console.txt").write_text("login:")
    write_allure(replace(RUN, output_dir=tmp_path / "out"), tmp_path / "allure")
    found = allure(tmp_path / "allure")
    assert set(found) == NAMES | LEFT_OUT | {"quiet"}
    assert {name: one["name"] for name, one in found.items()} == {name: name for name in found}
    failed = found[FAILED.name]
    labels = {one["name"]: one["value"] for one in failed["labels"]}
    assert (failed["status"], labels["kind"], labels["cause"]) == ("failed", "guest", "kernel-panic")
    assert (labels["boot"], labels["build"], labels["kola"]) == ("cold", RUN.version, kola.__version__)
    (attached,) = failed["attachments"]
    assert (tmp_path / "allure" / attached["source"]).read_text() == "login:"
    warned = found[WARNED.name]
    assert (warned["status"], warned["statusDetails"]["message"]) == ("passed", "WARN: denylisted: #12")
    assert {"name": "tag", "value": "WARN"} in warned["labels"]
    assert found["fcos.internet"]["status"] == "skipped"
    assert f"build={RUN.version}" in (tmp_path / "allure/environment.properties").read_text()


def test_infrastructure_is_broken_in_allure(tmp_path: Path) -> None:
    write_allure(run_of(PASSED, replace(FAILED, kind=FailureKind.INFRASTRUCTURE)), tmp_path)
    found = allure(tmp_path)
    assert (found[FAILED.name]["status"], found[PASSED.name]["status"]) == ("broken", "passed")
    assert PASSED.verdict is Verdict.PASS

"""A run outlives its console and other projects' settings, and writes its reports where they are wanted."""

from __future__ import annotations

import json
import os
import subprocess
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest
from fakes.checkout import Checkout

SUITE = """
    @pytest.mark.kola()
    def test_one():
        print("said by one")

    @pytest.mark.kola()
    def test_three():
        raise AssertionError("three is wrong")

    @pytest.mark.kola(tags=["shaky"])
    def test_two(request):
        marker = request.config.rootpath / "seen"
        if not marker.exists():
            marker.touch()
            raise AssertionError("the first time")
"""
RESULTS = {"mine.one": "PASS", "mine.three": "FAIL", "mine.two": "FAIL"}


@pytest.fixture
def checkout(checkout: Checkout) -> Checkout:
    checkout.suite(SUITE)
    return checkout


def shell(checkout: Checkout, line: str, **more: str) -> subprocess.CompletedProcess[str]:
    """Run a line of bash in which `"$@"` is the whole `kola run` command."""
    return subprocess.run(
        ["bash", "-o", "pipefail", "-c", line, "bash", *checkout.argv()],
        cwd=checkout.root,
        env=checkout.environment(**more),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def report(output: Path) -> dict[str, object]:
    content = json.loads((output / "reports/report.json").read_text())
    return {test["name"]: test["result"] for test in content["tests"]} | {"exit_code": content["exit_code"]}


@pytest.mark.parametrize(
    "line", ['"$@" | head -1', '"$@" | true', '"$@" >/dev/full', '"$@" >&-', '"$@" >&- 2>&- <&-']
)
def test_a_run_that_loses_its_console_goes_on_to_the_true_status(checkout: Checkout, line: str) -> None:
    done = shell(checkout, line)
    assert done.returncode == 1
    assert report(checkout.output) == RESULTS | {"exit_code": 1}
    assert "Traceback" not in done.stderr
    assert "INTERNALERROR" not in done.stderr


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1"),
        ("PYTEST_ADDOPTS", "--collect-only -x --no-such-option"),
        ("PYTEST_PLUGINS", "nosuch"),
    ],
)
def test_settings_of_other_projects_steer_nothing(checkout: Checkout, name: str, value: str) -> None:
    ran = checkout.run(env={name: value})
    assert (ran.status, ran.results) == (1, RESULTS)


def test_reports_are_written_where_they_are_wanted_and_output_is_shown(checkout: Checkout) -> None:
    ran = checkout.run("-v", "--junitxml", "ci/junit.xml", "--alluredir", "ci/allure", "mine.one")
    assert (ran.status, ran.results) == (0, {"mine.one": "PASS"})
    assert "said by one" in ran.stdout
    names = [case.get("name") for case in ElementTree.parse(checkout.root / "ci/junit.xml").iter("testcase")]
    assert len(names) == 1
    assert list((checkout.root / "ci/allure").glob("*-result.json"))
    assert (checkout.output / "reports/junit.xml").exists()
    assert not (checkout.output / "reports/allure").exists()


@pytest.mark.parametrize(("tag", "result"), [("shaky", "WARN"), ("steady", "FAIL")])
def test_only_tests_with_a_tag_may_pass_at_the_second_go(checkout: Checkout, tag: str, result: str) -> None:
    ran = checkout.run("--rerun", f"--allow-rerun-success=tags={tag},other", "mine.two")
    assert ran.results == {"mine.two": result}
    assert ran.status == (1 if result == "FAIL" else 0)


def test_a_directory_that_has_gone_is_one_message(checkout: Checkout) -> None:
    gone = checkout.root / "gone"
    gone.mkdir()
    done = shell(checkout, f'cd "{gone}"; rmdir "{gone}"; "$@"', PYTHONPATH=os.fspath(checkout.root))
    assert done.returncode == 2
    assert "the current directory cannot be used" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_cache_that_cannot_be_made_is_one_message(checkout: Checkout) -> None:
    (checkout.root / "file").touch()
    ran = checkout.run(env={"XDG_CACHE_HOME": f"{checkout.root}/file"})
    assert ran.status == 2
    assert "the cache directory cannot be used" in ran.stderr
    assert "XDG_CACHE_HOME" in ran.stderr


def test_a_run_speaks_the_language_of_the_locale_and_reports_do_not(checkout: Checkout) -> None:
    """The lines that Go's kola prints, which programs read, are the same in every language."""
    chinese = {"LC_ALL": "zh_CN.UTF-8", "PYTHONIOENCODING": "utf-8"}
    done = checkout.run("mine.one", "mine.three", env=chinese)
    assert (done.status, done.results) == (1, {"mine.one": "PASS", "mine.three": "FAIL"})
    assert "\n1 个失败, 1 个通过, 1 个被过滤，用时 " in done.stdout
    assert f"      文件  {checkout.output}" in done.stdout
    assert "=== RUN   mine.one\n" in done.stdout
    assert "--- PASS: mine.one (" in done.stdout
    assert done.stdout.endswith(f"FAIL, output in {checkout.output}\n")
    (failed,) = (test for test in done.report["tests"] if test["name"] == "mine.three")
    assert json.dumps(failed, ensure_ascii=False).isascii()

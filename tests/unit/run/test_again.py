"""The options of `kola rerun`: those of the earlier run, as far as nothing else is typed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from harness.errors import ConfigError
from kola.cli.again import options_again
from kola.report.properties import Properties, write_properties
from kola.run.options import parse


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def ran(output: Path, *, options: dict[str, Any], results: dict[str, str], command: str = "run") -> None:
    tests = [{"name": name, "result": result, "subtests": None} for name, result in results.items()]
    (output / "reports").mkdir(parents=True)
    (output / "reports/report.json").write_text(json.dumps({"tests": tests}))
    write_properties(
        Properties(
            cmdline=[], platform="qemu", distro="", options=options, command=command, tests=["a", "b", "c"]
        ),
        output / "properties.json",
    )


def test_what_failed_or_never_ran_runs_with_the_earlier_options(here: Path) -> None:
    ran(here / "o", options={"no_net": True, "tag": ["slow"]}, results={"a": "PASS", "b": "FAIL"})
    options, kept = options_again(parse(["--output-dir", "o"])) or pytest.fail("nothing")
    assert options.selection.patterns == options.selection.granted == ("b", "c")
    assert (options.selection.no_net, options.selection.tag, kept) == (True, (), ["--no-net"])
    assert options.output_dir == here / "o/rerun"


def test_what_is_typed_now_goes_before_what_was_typed_then(here: Path) -> None:
    ran(here / "o", options={"parallel": 4, "boot": "cold", "unheard_of": 1}, results={"a": "FAIL"})
    options, kept = options_again(parse(["--output-dir", "o", "-j", "2"])) or pytest.fail("nothing")
    assert (options.parallel, options.boot, kept) == (2, "cold", ["--boot=cold"])


def test_patterns_narrow_the_tests_down(here: Path) -> None:
    ran(here / "o", options={}, results={"a": "FAIL", "b": "FAIL", "c": "PASS"})
    options, _ = options_again(parse(["--output-dir", "o", "b*"])) or pytest.fail("nothing")
    assert options.selection.patterns == ("b",)
    with pytest.raises(ConfigError, match="no test to run again matches 'c'"):
        options_again(parse(["--output-dir", "o", "c"]))


def test_upgrade_tests_run_again_as_upgrade_tests(here: Path) -> None:
    ran(here / "o", options={"parent": "-2"}, results={"a": "FAIL"}, command="run-upgrade")
    options, _ = options_again(parse(["--output-dir", "o"])) or pytest.fail("nothing")
    assert (options.command, options.subject.parent) == ("run-upgrade", "-2")


def test_nothing_is_left_to_run(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ran(here / "o", options={}, results=dict.fromkeys("abc", "PASS"))
    assert options_again(parse(["--output-dir", "o"])) is None
    assert "nothing failed" in capsys.readouterr().out

"""The table of promises, its citations, and what the reports say of them."""

from __future__ import annotations

import json
import os
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from harness.errors import ConfigError
from kola.cases.catalog import find_tests, own_root
from kola.cases.model import TestInfo
from kola.cases.promises import FILE, Promise, Promises, State, statuses
from kola.cli import commands
from kola.cli import list as list_command
from kola.cli import promises as view
from kola.report.history import LEFT_OUT, last_verdicts, reports_in

LINK = Promise(("7.4.3",), "link", "links are made")
FILES = Promise(("7.4.3",), "file", "files are written")
KEYS = Promise(("4", "9.2"), "keys-only", "SSH takes keys")
TABLE = Promises((LINK, FILES, KEYS))


def written(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(dedent(text))
    return path


@pytest.mark.parametrize(
    ("citation", "promise"), [("7.4.3#link", LINK), ("9.2", KEYS), ("4", KEYS), ("4#keys-only", KEYS)]
)
def test_a_promise_is_cited_by_key_or_by_a_section_that_has_but_one(citation: str, promise: Promise) -> None:
    assert TABLE.find(citation) is promise


@pytest.mark.parametrize(
    ("citation", "said"),
    [
        ("7.4.3", r"several promises[\s\S]*7\.4\.3#link, 7\.4\.3#file"),
        ("7.4.3#lnk", r"'7\.4\.3#lnk' is not known[\s\S]*7\.4\.3#link"),
        ("9.2#link", r"is not known"),
        ("7.4.9", r"no promise of section '7\.4\.9'[\s\S]*7\.4\.3"),
    ],
)
def test_a_wrong_citation_says_what_could_be_meant(citation: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        TABLE.find(citation)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[[promise]\n", "not TOML"),
        ("x = 1\n", "expected a list"),
        ('[[promise]]\nsections = ["1"]\nkey = "a"\n', "sections, key and text"),
        ('[[promise]]\nsections = "1"\nkey = "a"\ntext = "t"\n', "'a' is not"),
        ('[[promise]]\nsections = ["1", "1"]\nkey = "a"\ntext = "t"\n', "1#a is there twice"),
    ],
)
def test_a_wrong_table_is_named(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        Promises.load(written(tmp_path / FILE, text))


def test_our_own_table_has_every_section_and_our_tests_cite_it() -> None:
    assert find_tests(own_root()).errors == ()
    promises = Promises.load(own_root() / FILE).promises
    assert len(promises) > 40
    assert promises[0].sections == ("2.2",)
    assert promises[-1].sections == ("10.2.2",)


def test_a_test_that_cites_what_is_not_promised_is_an_error_of_its_line(tmp_path: Path) -> None:
    written(tmp_path / FILE, '[[promise]]\nsections = ["1"]\nkey = "a"\ntext = "t"\n')
    module = written(
        tmp_path / "test_it.py",
        """
        import pytest

        @pytest.mark.kola(guide=["1", "2"])
        def test_it(machine):
            pass
        """,
    )
    (error,) = find_tests(tmp_path).errors
    assert str(error).startswith(f"{module}:4: kola marker: guide: no promise of section '2'")


def test_the_state_of_a_promise_is_that_of_its_worst_test() -> None:
    tests = [TestInfo("b", guide=("7.4.3#link",)), TestInfo("a", guide=("7.4.3#link", "9.2", "4"))]
    verdicts = {"a": "PASS", "b": "PASS"}
    links, files, keys = statuses(TABLE, tests, verdicts)
    assert links.verdicts == (("a", "PASS"), ("b", "PASS"))
    assert keys.verdicts == (("a", "PASS"),)
    assert [row.state for row in (links, files, keys)] == [State.KEPT, State.UNCOVERED, State.KEPT]
    for verdict, state in (
        ("FAIL", State.BROKEN),
        ("FLAKY", State.DOUBTFUL),
        ("WARN", State.DOUBTFUL),
        ("SKIP", State.KEPT),
        (LEFT_OUT, State.KEPT),
    ):
        assert statuses(TABLE, tests, verdicts | {"b": verdict})[0].state is state
    assert statuses(TABLE, tests, {"a": "SKIP"})[0].state is State.UNPROVED


def test_the_table_names_every_test_and_counts_the_promises() -> None:
    tests = [TestInfo("b", guide=("7.4.3#link",)), TestInfo("a", guide=("7.4.3#link",))]
    lines = view.as_table(statuses(TABLE, tests, {"a": "PASS"})).splitlines()
    cells = [[cell for cell in line.split("\t") if cell] for line in lines]
    assert cells[2:6] == [
        ["7.4.3", "links are made", "a", "PASS"],
        ["b", "not run"],
        ["7.4.3", "files are written", "-", "uncovered"],
        ["4, 9.2", "SSH takes keys", "-", "uncovered"],
    ]
    assert lines[-1] == "3 promises: 2 uncovered, 1 kept"


def report(path: Path, age: int, *tests: dict[str, Any], filtered: tuple[tuple[str, str], ...] = ()) -> Path:
    entries = [{"name": name, "stage": stage, "reason": ""} for name, stage in filtered]
    written(path, json.dumps({"tests": tests, "filtered": entries}))
    os.utime(path, (1e9 - age, 1e9 - age))
    return path


def entry(name: str, result: str, *, flaky: bool = False) -> dict[str, Any]:
    return {"name": name, "result": result, "flaky": flaky}


def test_the_newest_report_that_knows_a_test_has_the_last_word(tmp_path: Path) -> None:
    old = report(tmp_path / "a/reports/report.json", 9, entry("x", "FAIL"), entry("y", "FAIL"))
    new = report(
        tmp_path / "b/reports/report.json",
        1,
        entry("x", "PASS"),
        entry("p.a", "PASS"),
        entry("z", "WARN", flaky=True),
        filtered=(("f", "feature"), ("y", "pattern")),
    )
    written(tmp_path / "c/reports/report.json", "{")
    (tmp_path / "latest").symlink_to("b")
    found = reports_in(tmp_path)
    assert [file for file in found if file != (tmp_path / "c/reports/report.json")] == [new, old]
    assert last_verdicts(found) == {"x": "PASS", "y": "FAIL", "p.a": "PASS", "z": "FLAKY", "f": LEFT_OUT}
    assert reports_in(tmp_path / "a") == [old]


def listed(*argv: str) -> int:
    parser = commands.parser("list", list_command)
    return list_command.run(parser.parse(["--promises", *argv]))


def test_kola_list_promises_reads_the_run_it_is_shown(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    report(tmp_path / "reports/report.json", 1, entry("nestos.auth.verify", "FAIL"))
    assert listed("--json", "--output-dir", str(tmp_path)) == 0
    rows = {row["Key"]: row for row in json.loads(capsys.readouterr().out)}
    assert rows["keys-only"]["State"] == "broken"
    assert rows["keys-only"]["Tests"]["nestos.auth.verify"] == "FAIL"
    assert rows["libvirt"] == {
        "Sections": ["8.2.2"], "Key": "libvirt",
        "Promise": "boots under libvirt with an Ignition config from fw_cfg",
        "State": "unproved", "Tests": {"libvirt.virt-install.the-command-of-the-guide": "not run"},
        "Own Tests": [],
    }  # fmt: skip
    assert rows["smoke-test"]["State"] == "of kola itself"


def test_files_that_prove_promises_about_kola_are_there() -> None:
    table = Promises.load(own_root() / FILE)
    files = [file for promise in table.promises for file in promise.own_tests]
    assert files
    assert [file for file in files if not (own_root().parent / file).is_file()] == []


def test_a_promise_about_kola_names_its_own_tests() -> None:
    promise = Promise(("6.6",), "run", "kola runs", own_tests=("tests/a.py", "tests/b.py"))
    lines = view.as_table(statuses(Promises((promise,)), [], {})).splitlines()
    cells = [[cell for cell in line.split("\t") if cell] for line in lines]
    assert cells[2:4] == [["6.6", "kola runs", "tests/a.py", "make test"], ["tests/b.py", "make test"]]
    assert lines[-1] == "1 promises: 1 of kola itself"


@pytest.mark.parametrize(
    ("argv", "said"), [(("basic",), "all tests"), (("--output-dir", "nowhere"), "no report of a run")]
)
def test_kola_list_promises_refuses_what_it_cannot_show(argv: tuple[str, ...], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        listed(*argv)

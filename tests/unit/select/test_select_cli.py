"""`kola list`, `kola check-console`, and what the command line makes of a selection."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from harness.errors import ConfigError
from kola.cases.model import Selector, TestInfo
from kola.cli import commands
from kola.cli import list as list_command
from kola.run.options import parse
from kola.run.selection import roots_from, selection_from
from kola.select.selection import Selection

EXTERNAL = Path(__file__).parents[2] / "external"


def kola(*argv: str) -> int:
    command = commands.load(argv[0])
    return command.run(commands.parser(argv[0], command).parse(argv[1:]))


def listed(capsys: pytest.CaptureFixture[str], *argv: str) -> list[str]:
    assert kola("list", "--json", "-E", str(EXTERNAL), *argv) == 0
    names = [row["Name"] for row in json.loads(capsys.readouterr().out)]
    return [name.removeprefix("ext.external.") for name in names if name.startswith("ext.external.")]


def test_list_shows_all_that_exists_unless_asked_otherwise(capsys: pytest.CaptureFixture[str]) -> None:
    assert {"select.required-tag", "select.other-distro", "select.not-this-architecture"} <= set(
        listed(capsys)
    )


@pytest.mark.parametrize(
    ("argv", "absent"),
    [
        (("-b", "nestos"), "select.other-distro"),
        (("-p", "aws"), "machine"),
        (("--arch", "x86_64"), "select.not-this-architecture"),
        (("--no-net",), "select.needs-internet"),
        (("--tag", "!platform-independent"), "select.platform-independent"),
        (("ext.external.config.*",), "no-metadata"),
    ],
)
def test_list_filters_by_what_is_asked(
    capsys: pytest.CaptureFixture[str], argv: tuple[str, ...], absent: str
) -> None:
    names = listed(capsys, *argv)
    assert names
    assert absent not in names


def test_list_all_is_everything(capsys: pytest.CaptureFixture[str]) -> None:
    assert listed(capsys, "-p", "all", "-b", "all") == listed(capsys)


def test_list_by_tag(capsys: pytest.CaptureFixture[str]) -> None:
    assert listed(capsys, "--tag", "from-base,on-request") == ["base.inherits", "select.required-tag"]


def test_list_refuses_a_pattern_that_matches_nothing() -> None:
    with pytest.raises(ConfigError, match=r"did you mean ext\.external\.no-metadata"):
        kola("list", "-E", str(EXTERNAL), "no-metadata")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("-p", "qmeu"), "unknown platform 'qmeu'\n  hint: did you mean 'qemu'"),
        (("--arch", "x86"), "unknown architecture 'x86'\n  hint: did you mean 'x86_64'"),
        (("--workdir", "/no/such/build"), "/no/such/build: there is no such directory"),
        (("--output-dir", "out"), "--output-dir is about --promises"),
    ],
)
def test_list_refuses_what_does_not_exist(words: tuple[str, ...], said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        kola("list", *words)
    assert said in str(caught.value)


def test_list_goes_on_where_tests_are_broken(capsys: pytest.CaptureFixture[str]) -> None:
    assert kola("list", "-E", str(EXTERNAL / "broken"), "ext.broken.*") == 0
    output = capsys.readouterr()
    assert "ext.broken.healthy\t" in output.out
    assert "broken: ext.broken.unknown-key: " in output.err
    assert "unknown-key:4: unknown key 'exclusiv'" in output.err
    assert "warning: " in output.err


def test_the_table_is_kolas() -> None:
    tests = [
        TestInfo("a.long.name", tags=frozenset({"b", "external"}), platforms=Selector(("qemu",))),
        TestInfo("b", platforms=Selector(("aws", "do", "esx"), exclude=True), distros=Selector(("fcos",))),
    ]
    header, _, first, second = list_command.as_table(tests).splitlines()
    assert header.split("\t")[0] == "Test Name"
    cells = [[cell for cell in line.split("\t") if cell] for line in (first, second)]
    assert cells == [
        ["a.long.name", "[qemu]", "[all]", "[all]", "[external b]"],
        ["b", "[azure gcp openstack qemu qemu-iso]", "[all]", "[fcos]", "[]"],
    ]
    assert header.expandtabs(8).index("Tags") == first.expandtabs(8).index("[external")


def test_the_json_is_kolas() -> None:
    (row,) = json.loads(list_command.as_json([TestInfo("a", description="Beschreibung – 描述")]))
    assert list(row) == ["Name", "Platforms", "Architectures", "Distros", "Tags", "Description"]
    assert "qemu" in row["Platforms"]
    assert row["Description"] == "Beschreibung – 描述"


def test_listing_imports_neither_pytest_nor_pydantic() -> None:
    heavy = {"pytest", "pydantic", "paramiko", "yaml"}
    code = f"import sys, kola.cli.list; print(sorted({heavy} & set(sys.modules)))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


def selected(*argv: str, **known: Any) -> Selection:
    options = parse(argv)
    return selection_from(options.selection, options.subject, **known)


def test_what_is_typed_goes_before_what_the_build_says() -> None:
    selection = selected(
        *("-b", "fcos", "--denylist-stream", "next", "-p", "iso", "--arch", "aarch64"),
        *("--workdir", "none", "a*", "b"),
        stream="stable",
        firmware="uefi",
    )
    assert (selection.distro, selection.stream, selection.platform) == ("fcos", "next", "qemu-iso")
    assert (selection.architecture, selection.firmware, selection.patterns) == (
        "aarch64",
        "uefi",
        ("a*", "b"),
    )
    assert selection.denylist is None


def test_repeated_and_comma_separated_words_are_alike() -> None:
    selection = selected(
        "--tag", "a,!b", "--tag", "c", "--denylist-test", "x", "--denylist-test", "y", "--workdir", "none"
    )
    assert selection.wanted_tags == {"a", "c"}
    assert selection.unwanted_tags == {"b"}
    assert selection.denylist_tests == ("x", "y")


def test_the_workdir_brings_its_denylist_and_its_tests(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "src/config/tests/kola").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    assert selected().denylist == tmp_path / "src/config/kola-denylist.yaml"
    options = parse([])
    roots = roots_from(options.selection, options.subject)
    assert [root.prefix for root in roots][:1] == ["ext.config"]
    assert selected("--workdir", "none").denylist is None


@pytest.mark.parametrize("count", ["0", "-1", "x"])
def test_multiply_wants_a_count(count: str) -> None:
    with pytest.raises(ConfigError, match="--multiply"):
        parse([f"--multiply={count}"])


def test_check_console_names_file_line_and_sign(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bad, good = tmp_path / "bad.txt", tmp_path / "good.txt"
    bad.write_text("fine\nOops: 0002 [#1]\n")
    good.write_text("fine\n")
    assert kola("check-console", str(good)) == 0
    assert kola("check-console", str(good), str(bad)) == 1
    assert capsys.readouterr().out == f"{bad}:2: kernel oops: Oops: 0002 [#1]\n"


def test_check_console_reads_on_after_an_unreadable_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bad = tmp_path / "bad.txt"
    bad.write_text("Oops:\n")
    assert kola("check-console", str(tmp_path / "none"), str(bad)) == 2
    output = capsys.readouterr()
    assert "cannot be read: No such file" in output.err
    assert "kernel oops" in output.out


def test_check_console_reads_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"watchdog: BUG: soft lockup - CPU#0\n")))
    assert kola("check-console") == 1

"""Commands: how they are found, what their flags are called, and that nothing typed goes unread."""

from __future__ import annotations

import argparse
import ast
import json
import tomllib
from collections.abc import Iterator
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

import kola
from harness.errors import ConfigError
from kola.cli import commands
from kola.cli.main import main

ROOT = Path(kola.__file__).parents[1]


def actions(parser: argparse.ArgumentParser) -> Iterator[argparse.Action]:
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for sub in action.choices.values():
                yield from actions(sub)
        else:
            yield action


def own_actions() -> Iterator[argparse.Action]:
    for name in commands.OWN:
        yield from actions(commands.parser(name, commands.load(name)))


def test_the_entry_points_of_this_package_are_its_commands() -> None:
    content = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert content["project"]["entry-points"][commands.GROUP] == commands.OWN


def test_every_destination_is_read_somewhere() -> None:
    read = {
        node.attr
        for file in (ROOT / "kola").rglob("*.py")
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load)
    }
    typed = {action.dest for action in own_actions()} - {"help", argparse.SUPPRESS}
    meaningless = {"raw", "find_parent", "usernet"}  # Butane's, and Go's names for what is the default
    assert typed - read == meaningless


def test_every_flag_is_documented() -> None:
    pages = "".join(page.read_text() for page in [ROOT / "README.md", *(ROOT / "docs").glob("*.md")])
    flags = {option for action in own_actions() for option in action.option_strings}
    long = {flag for flag in flags if flag.startswith("--") and "=" not in flag} - {"--help"}
    assert sorted(flag for flag in long if flag not in pages) == []


def test_a_command_of_another_package_is_found_and_listed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "greeting.py").write_text(
        '"""Say a word."""\nHELP = "say a word"\n'
        'def add_arguments(parser):\n    parser.add_argument("--word", default="hello")\n'
        "def run(args):\n    print(args.word)\n    return 3\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    point = EntryPoint("greet", "greeting", commands.GROUP)
    monkeypatch.setattr("importlib.metadata.entry_points", lambda group: [point])
    assert main(["greet", "--word", "salut"]) == 3
    assert capsys.readouterr().out == "salut\n"
    assert main(["--help"]) == 0
    assert "greet           say a word" in capsys.readouterr().out


@pytest.mark.parametrize("name", list(commands.OWN))
def test_every_command_explains_itself(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([name, "--help"]) == 0
    assert f"usage: kola {name}" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (["rnu"], 2, "unknown command 'rnu'\n  hint: did you mean run?"),
        (["x" * 100_000], 2, "unknown command 'xxx"),
        (["run", "--paralel"], 2, "kola: error: unknown option --paralel; did you mean --parallel?"),
        (["run", "--par", "2"], 2, "unknown option --par; did you mean --parallel?"),
        (["list", "--no-net=maybe"], 2, "argument --no-net: takes true or false, not 'maybe'"),
        (["list", "--" + "y" * 100_000], 2, "unknown option --yyy"),
        (["--bogus", "run"], 2, "unknown option --bogus"),
        (["ncpu", "surplus"], 2, "unexpected argument 'surplus'"),
        (["-p"], 2, "no command"),
        (["reference", "built"], 2, "built"),
        (["run", "caf\udce9"], 2, "'caf\\xe9' is not valid text"),
    ],
)
def test_a_wrong_line_is_one_message(
    words: list[str], status: int, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words) == status
    captured = capsys.readouterr()
    assert said in captured.err
    assert captured.out == ""
    assert len(captured.err) < 800


def test_options_of_a_run_may_stand_before_the_command() -> None:
    line = ["-p", "qemu", "--build=-1", "-v", "-j4", "--no-net", "run", "-E", "x", "name"]
    assert commands.command_first(line) == [
        *("run", "-p", "qemu", "--build=-1", "-v", "-j4", "--no-net", "-E", "x", "name")
    ]
    with pytest.raises(ConfigError, match="did you mean --parallel"):
        commands.command_first(["--paralell", "2", "run"])


def test_without_a_command_the_commands_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2
    assert "run-upgrade" in capsys.readouterr().out


def test_help_of_help_is_the_list_of_commands(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["help", "help"]) == 0
    assert capsys.readouterr().out.startswith("usage: kola COMMAND")


def test_help_of_a_command_is_its_own(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["help", "spawn"]) == 0
    shown = capsys.readouterr().out
    assert shown.startswith("usage: kola spawn")
    assert "examples:\n  kola spawn" in shown


def test_the_version_for_programs(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["version", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["kola"] == kola.__version__


def test_consoles_below_a_directory_are_checked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log = tmp_path / "one.test/machine/console.txt"
    log.parent.mkdir(parents=True)
    log.write_text("[    1.0] Kernel panic - not syncing: Fatal exception\n")
    (log.parent / "journal.txt").write_text("Kernel panic - not syncing: elsewhere\n")
    assert main(["check-console", str(tmp_path)]) == 1
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith(f"{log}:1: kernel panic: ")
    (tmp_path / "empty").mkdir()
    assert main(["check-console", str(tmp_path / "empty")]) == 2
    assert "holds no console.txt" in capsys.readouterr().err

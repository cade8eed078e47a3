"""The help of every command: it fits a screen, its flags are in groups, and its examples are right."""

from __future__ import annotations

import argparse
import re
import shlex
from collections.abc import Iterator

import pytest

from kola.cli import commands
from kola.cli.main import main
from kola.run.helptext import Manual, Row, Section
from kola.run.parser import Parser

ALL = list(commands.OWN)
SCREEN = (80, 24)
ROWS = {"run": 45}
MOST_WITHOUT_GROUPS = 8
EXAMPLES = 2
WIDEST = 100


def parser(name: str) -> Parser:
    return commands.parser(name, commands.load(name))


def manuals(name: str) -> Iterator[Manual]:
    """The help of a command, short and full, and that of its own commands."""
    made = parser(name)
    for one in (made, *made.verbs().values()):
        yield one.manual(every=False)
        yield one.manual(every=True)


def words_of(example: str) -> list[str]:
    """The words of kola's own command in an example, without comments and the rest of a pipeline."""
    lexer = shlex.shlex(example, posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    parts: list[list[str]] = [[]]
    for word in lexer:
        if set(word) <= set("|&;<>()"):
            parts.append([])
        else:
            parts[-1].append(word)
    return next(part[part.index("kola") :] for part in parts if "kola" in part)


@pytest.mark.parametrize("name", ALL)
def test_help_fits_a_screen(name: str) -> None:
    columns, rows = SCREEN
    lines = parser(name).manual(every=False).render(columns).splitlines()
    assert len(lines) <= ROWS.get(name, rows)
    assert [line for line in lines if len(line) > columns] == []


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("columns", [20, 80, 300])
def test_no_line_of_help_is_too_wide(name: str, columns: int) -> None:
    for manual in manuals(name):
        assert [line for line in manual.render(columns).splitlines() if len(line) > WIDEST] == []


@pytest.mark.parametrize("name", ALL)
def test_flags_are_in_groups_and_each_has_a_text(name: str) -> None:
    for manual in manuals(name):
        sizes = {section.title: len(section.rows) for section in manual.sections}
        assert all(sizes), "every group has a title"
        many = sum(sizes.values()) > MOST_WITHOUT_GROUPS
        assert not many or sizes.get("options", 0) <= 2, "only --help and --help-all have no group"
        assert [str(row) for section in manual.sections for row in section.rows if not row.text] == []


@pytest.mark.parametrize("name", ALL)
def test_every_flag_is_explained_or_named(name: str) -> None:
    made = parser(name)
    flags = {
        option
        for action in made._actions
        for option in action.option_strings
        if option.startswith("--") and "=" not in option
    }
    full = {
        flag for section in made.manual(every=True).sections for row in section.rows for flag in row.names
    }
    assert flags <= full
    short = made.manual(every=False)
    shown = {flag for section in short.sections for row in section.rows for flag in row.names} | {*short.more}
    named = {action.dest for action in made._actions if shown & {*action.option_strings}}
    wanted = {action.dest for action in made._actions if action.option_strings}
    assert wanted - named <= {"help", argparse.SUPPRESS}


@pytest.mark.parametrize("name", ALL)
def test_the_flags_that_help_is_to_show_exist(name: str) -> None:
    made = parser(name)
    shown = {
        flag for section in made.manual(every=False).sections for row in section.rows for flag in row.names
    }
    assert set(getattr(commands.load(name), "SHOWN", ())) <= shown
    assert not made.manual(every=False).like or made.manual(every=False).like in commands.OWN


@pytest.mark.parametrize("name", ALL)
def test_examples_are_of_this_command_and_parse(name: str) -> None:
    examples = parser(name).manual(every=False).examples
    assert len(examples) == EXAMPLES
    for example in examples:
        words = words_of(example)
        assert words[1] == name
        parser(name).parse(words[2:])


def test_an_example_ends_where_the_shell_ends_its_command() -> None:
    assert words_of("kola console m1 </dev/null | tee log") == ["kola", "console", "m1"]
    assert words_of("journalctl -b | kola check-console") == ["kola", "check-console"]
    assert words_of("kola run 'nestos.*'  # a comment") == ["kola", "run", "nestos.*"]


@pytest.mark.parametrize("name", ALL)
def test_help_command_and_command_help_are_the_same(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["help", name]) == 0
    asked = capsys.readouterr().out
    assert main([name, "--help"]) == 0
    assert capsys.readouterr().out == asked
    assert asked.startswith(f"usage: kola {name} [OPTION…]")


def test_help_of_a_commands_own_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["help", "reference", "build"]) == 0
    assert capsys.readouterr().out.startswith("usage: kola reference build")
    assert main(["help", "reference", "built"]) == 2
    assert "unexpected argument 'built'" in capsys.readouterr().err


def test_help_is_the_overview(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["help"]) == 0
    asked = capsys.readouterr().out
    assert main(["--help"]) == 0
    assert capsys.readouterr().out == asked
    listed = [re.split(r"\s{2,}", line)[1] for line in asked.splitlines() if line.startswith("  ")]
    assert sorted(listed) == sorted(ALL)


def test_help_all_has_every_flag_of_a_run(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "--help-all"]) == 0
    shown = capsys.readouterr().out
    assert "--qemu-swtpm, --no-qemu-swtpm" in shown
    assert "--extend-timeout-percentage P" in shown
    assert "more flags" not in shown


def test_rows_are_laid_out_in_columns() -> None:
    rows = (
        Row(names=("-a", "--all"), text="all " * 30),
        Row(names=("--" + "x" * 40,), value="N", text="long"),
    )
    text = Manual(
        prog="kola x",
        usage="kola x",
        description=("A command.",),
        sections=(Section(title="flags", rows=rows),),
        more=("--other",),
        examples=("kola x",),
    ).render(60)
    assert text.splitlines()[:6] == [
        *("usage: kola x", "", "A command.", "", "flags:"),
        "  -a, --all" + " " * 23 + "all all all all all all",
    ]
    assert (
        f"\n  --{'x' * 40} N\n{' ' * 34}long\nmore flags, which kola x --help-all explains:\n  --other\n"
        in text
    )
    assert text.endswith("\n\nexamples:\n  kola x\n")

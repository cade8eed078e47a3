"""The man page: made of the parsers, accepted by groff, and complete."""

from __future__ import annotations

import re
import shutil
import subprocess

import pytest

from kola.cli import commands
from kola.cli.main import main
from kola.cli.man import source
from kola.cli.manpage import escaped

MACROS = {".TH", ".SH", ".SS", ".TP", ".PP", ".nf", ".fi"}


def rendered(page: str) -> str:
    """The text that a reader sees; skips without groff."""
    if shutil.which("groff") is None:
        pytest.skip("no groff on this host")
    done = subprocess.run(
        ["groff", "-man", "-Tutf8", "-ww", "-rLL=200n", "-P-cbou"],
        input=page.encode(),
        capture_output=True,
        check=True,
    )
    assert done.stderr == b""
    return done.stdout.decode()


def test_the_source_is_ascii_and_uses_known_macros() -> None:
    page = source()
    assert page.isascii()
    assert page.startswith('.TH "KOLA" 1 ')
    macros = {line.split()[0] for line in page.splitlines() if line.startswith((".", "'"))}
    assert macros == MACROS
    titles = re.findall(r"^\.SH \"?([^\"\n]*)", page, flags=re.MULTILINE)
    assert titles[:3] == ["NAME", "SYNOPSIS", "COMMANDS"]
    assert titles[-2:] == ["EXIT STATUS", "ENVIRONMENT"]


@pytest.mark.parametrize("name", list(commands.OWN))
def test_the_page_of_a_command_has_all_that_its_help_has(name: str) -> None:
    text = rendered(source(name))
    assert f"kola-{name} - {commands.load(name).HELP}" in text
    flat = " ".join(text.split())
    for manual in commands.parser(name, commands.load(name)).manuals():
        for row in (row for section in manual.sections for row in section.rows):
            assert str(row) in flat
            assert " ".join(row.text.split()) in flat
        for example in manual.examples:
            assert example in text


def test_the_page_of_kola_has_every_command_and_flag() -> None:
    text = rendered(source())
    for name in commands.OWN:
        assert f"KOLA {name.upper()}" in text
        for action in commands.parser(name, commands.load(name))._actions:
            assert all(option in text for option in action.option_strings if "=" not in option)


def test_man_shows_the_page() -> None:
    if shutil.which("man") is None:
        pytest.skip("no man on this host")
    done = subprocess.run(
        ["man", "--local-file", "--pager=cat", "-"],
        input=source("ps"),
        capture_output=True,
        text=True,
        check=False,
    )
    if not done.stdout:
        pytest.skip("man shows nothing on this host")
    assert "KOLA-PS(1)" in done.stdout


def test_no_character_means_anything_to_roff() -> None:
    assert escaped(".SH `x' -\\fB…\n.x") == "\\&.SH \\(gax\\(aq \\-\\efB\\[u2026]\n\\&.x"


def test_not_on_a_terminal_the_source_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["man", "run"]) == 0
    assert capsys.readouterr().out == source("run")
    assert main(["man", "rnu"]) == 2
    assert "did you mean run?" in capsys.readouterr().err

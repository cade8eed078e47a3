"""Messages in other languages: catalogues that are complete, and what they leave alone."""

from __future__ import annotations

import ast
import gettext
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog
from babel.messages.pofile import read_po

import harness
from harness.util.language import CATALOGUES, DOMAIN
from kola.cli.commands import OWN

ROOT = Path(harness.__file__).parents[1]
SOURCES = ("harness", "kola")
LANGUAGES = sorted(path.name for path in CATALOGUES.iterdir())
FIXED = re.compile(
    rf"\{{\w+\}}|--?[a-z][a-z-]*|kola (?:{'|'.join(OWN)})\b|nosa build|\w+\.json|builds/", re.ASCII
)
"""The parts of a message that are the same in every language: values, flags, commands and files."""


def calls() -> Iterator[tuple[str, ast.Call]]:
    for source in SOURCES:
        for path in sorted((ROOT / source).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                match node:
                    case ast.Call(func=ast.Name(id="tr")):
                        yield f"{path.relative_to(ROOT)}:{node.lineno}", node


def messages() -> set[str]:
    return {node.args[0].value for _, node in calls() if isinstance(node.args[0], ast.Constant)}


def catalogue(language: str) -> Catalog:
    with (CATALOGUES / language / "LC_MESSAGES" / f"{DOMAIN}.po").open("rb") as file:
        return read_po(file, locale=language)


def test_there_is_chinese() -> None:
    assert LANGUAGES == ["zh_CN"]


def test_every_message_is_written_out_with_its_values() -> None:
    for where, node in calls():
        (text,) = node.args
        assert isinstance(text, ast.Constant) and isinstance(text.value, str), where
        names = {keyword.arg for keyword in node.keywords}
        assert not names or names == set(re.findall(r"\{(\w+)\}", text.value)), where


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_catalogue_is_complete_and_has_nothing_else(language: str) -> None:
    found = catalogue(language)
    assert {str(message.id) for message in found if message.id} == messages()
    assert [message.id for message in found if message.id and not message.string] == []
    assert [message.id for message in found if message.id and message.fuzzy] == []
    assert not found.obsolete


@pytest.mark.parametrize("language", LANGUAGES)
def test_values_flags_and_names_stay_as_they_are(language: str) -> None:
    for message in catalogue(language):
        if message.id:
            kept = sorted(FIXED.findall(str(message.id)))
            assert sorted(FIXED.findall(str(message.string))) == kept, message.id


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_compiled_catalogue_is_that_of_the_source(language: str) -> None:
    compiled = gettext.translation(DOMAIN, CATALOGUES, languages=[language])
    for message in catalogue(language):
        if message.id:
            assert compiled.gettext(str(message.id)) == message.string, "run make messages"


def kola(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    languages = ("LANGUAGE", "LC_ALL", "LC_MESSAGES", "LANG")
    clean = {name: value for name, value in os.environ.items() if name not in languages}
    return subprocess.run(
        [sys.executable, "-m", "kola.cli.main", *words],
        env=clean | {"PYTHONIOENCODING": "utf-8"} | environment,
        capture_output=True,
        encoding="utf-8",
        check=False,
    )


def test_an_error_is_in_the_language_of_the_locale() -> None:
    chinese = kola("rnu", LANG="zh_CN.UTF-8")
    assert (chinese.returncode, chinese.stderr) == (
        2,
        "kola：错误：未知命令 'rnu'\n  提示: 是否想输入 run？\n",
    )
    for language in ("C", "en_US.UTF-8", "de_DE.UTF-8", "nonsense"):
        plain = kola("rnu", LANG=language)
        assert plain.stderr == "kola: error: unknown command 'rnu'\n  hint: did you mean run?\n"
    assert kola("rnu", LANG="zh_CN.UTF-8", LC_ALL="C").stderr == plain.stderr


def test_programs_read_the_same_in_every_language() -> None:
    for words in (["version", "--json"], ["list", "--json", "basic"], ["completion", "bash"], ["man", "ps"]):
        assert kola(*words, LANG="zh_CN.UTF-8").stdout == kola(*words, LANG="C").stdout

"""Messages in other languages: catalogues that are complete, and what they leave alone."""

from __future__ import annotations

import ast
import gettext
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest
from messages import NOT_MESSAGES, ROOT, SOURCES, catalogue, messages

from harness.util import language
from harness.util.language import CATALOGUES, DOMAIN, localized
from harness.util.width import width
from kola.cli import commands
from kola.cli.commands import OWN

LANGUAGES = sorted(path.name for path in CATALOGUES.iterdir())
FIXED = re.compile(
    rf"\{{\w+\}}|(?<![\w-])--?[a-z][a-z-]*|kola (?:{'|'.join(OWN)})\b|nosa build\b|\w+\.json|builds/",
    re.ASCII,
)
"""The parts of a message that are the same in every language: values, flags, commands and files."""
SHOWN = ("run", "spawn", "list", "qemuexec", "testiso", "facts", "nosa")


def calls() -> Iterator[tuple[str, ast.Call]]:
    for source in SOURCES:
        for path in sorted((ROOT / source).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                match node:
                    case ast.Call(func=ast.Name(id="tr")):
                        yield f"{path.relative_to(ROOT)}:{node.lineno}", node


def test_there_is_chinese() -> None:
    assert LANGUAGES == ["zh_CN"]


def test_every_message_is_written_out_with_its_values() -> None:
    for where, node in calls():
        (text,) = node.args
        assert isinstance(text, ast.Constant) and isinstance(text.value, str), where
        names = {keyword.arg for keyword in node.keywords}
        assert not names or names == set(re.findall(r"\{(\w+)\}", text.value)), where


def test_an_error_and_its_values_are_found_in_the_sources() -> None:
    """Some kinds of messages: an f-string, a choice in it, a help text, a return value, a docstring."""
    found = messages()
    assert {
        "unknown option {name}",
        "missing: {name} (optional)",
        "P % more time",
        "the pattern {pattern} matches no test",
        "unit {unit} has failed",
        "List the machines that are kept.",
        "kola facts diff -1 latest               # exit status 1 after a failure",
    } <= found
    assert not [message for message in found if "%%" in message or message in NOT_MESSAGES]


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
    for locale in ("C", "en_US.UTF-8", "de_DE.UTF-8", "nonsense"):
        plain = kola("rnu", LANG=locale)
        assert plain.stderr == "kola: error: unknown command 'rnu'\n  hint: did you mean run?\n"
    assert kola("rnu", LANG="zh_CN.UTF-8", LC_ALL="C").stderr == plain.stderr


def test_programs_read_the_same_in_every_language() -> None:
    for words in (["version", "--json"], ["list", "--json", "basic"], ["completion", "bash"], ["man", "ps"]):
        assert kola(*words, LANG="zh_CN.UTF-8").stdout == kola(*words, LANG="C").stdout


MESSAGES = {
    "unit sshd.service has failed": "单元 sshd.service 已失败",
    "guest: unit a.service has failed": "guest：单元 a.service 已失败",
    "5 failed": "5 个失败",
    "it failed": "it failed",
    "timed out after 30 s while waiting for QEMU's greeting; last seen: x": (
        "30 秒后超时，当时正在：等待 QEMU 的问候消息；最后看到的状态：x"
    ),
    "the disk image has no GUID partition table; check the path": "磁盘镜像没有 GUID 分区表；请检查路径",
    "a file of that\nno builds yet": "a file of that\n还没有任何构建",
    "  no builds yet": "  还没有任何构建",
    "there is no machine 'the unit is MiB'": "没有名为 'the unit is MiB' 的虚拟机",
    "AssertionError: assert 1 == 2": "AssertionError: assert 1 == 2",
    "": "",
}


@pytest.fixture
def chinese(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """This process in a Chinese locale."""
    monkeypatch.setenv("LANGUAGE", "zh_CN")
    language._catalogue.cache_clear()
    yield
    language._catalogue.cache_clear()


@pytest.mark.usefixtures("chinese")
def test_every_text_of_help_is_translated() -> None:
    for name in OWN:
        for manual in commands.parser(name, commands.load(name)).manuals():
            texts = [" ".join(part.split()) for part in manual.description]
            texts += [section.title for section in manual.sections]
            texts += [row.text for section in manual.sections for row in section.rows]
            assert [text for text in texts if text and localized(text) == text] == [], name


@pytest.mark.usefixtures("chinese")
@pytest.mark.parametrize("text", MESSAGES)
def test_a_finished_message_is_translated_with_its_values(text: str) -> None:
    assert localized(text) == MESSAGES[text]


@pytest.mark.parametrize("columns", ["40", "80"])
def test_columns_of_help_line_up_in_chinese(columns: str) -> None:
    for name in SHOWN:
        shown = kola(name, "--help-all", LANG="zh_CN.UTF-8", COLUMNS=columns).stdout
        english = kola(name, "--help-all", LANG="C", COLUMNS=columns).stdout
        starts = {width(line[: re.search(r"(?<=\S)\s{2,}", line).end()]) for line in rows(shown)}
        expected = {re.search(r"(?<=\S)\s{2,}", line).end() for line in rows(english)}
        assert starts == expected and len(starts) == 1, name
        examples = shown.partition("示例：")[0].partition("\n")[2]
        words = [line for line in examples.splitlines() if width(line) > max(60, int(columns))]
        assert words == [], name


def rows(text: str) -> list[str]:
    """The lines of flags with a text beside them."""
    return [line for line in text.splitlines() if re.match(r"  -\S.*?\S\s{2,}\S", line)]


@pytest.mark.usefixtures("chinese")
@pytest.mark.parametrize(
    "piece", ["x", "unit a has failed; ", "a: ", "1 MiB of memory are needed, ", "{count} "]
)
def test_noise_of_any_length_is_left_alone_in_no_time(piece: str) -> None:
    began = time.process_time()
    for length in (990, 100_000):
        localized((piece * length)[:length])
    assert time.process_time() - began < 20


def test_without_a_catalogue_a_message_stays() -> None:
    assert [localized(text) for text in MESSAGES] == [*MESSAGES]

"""kola-denylist.yaml: which entries apply, to which tests, and what is said aloud."""

from __future__ import annotations

import os
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from harness.errors import ConfigError
from kola.cases.model import TestInfo
from kola.select import Chosen, Selection, select

TODAY = date(2026, 6, 15)
TESTS = [TestInfo("ext.config.a"), TestInfo("ext.config.b"), TestInfo("podman.workflow")]


def chosen(tmp_path: Path, text: str, **options: Any) -> Chosen:
    file = tmp_path / "kola-denylist.yaml"
    file.write_text(text)
    return select(TESTS, Selection(**{"denylist": file, "today": TODAY, "stream": "stable", **options}))


def denied(result: Chosen) -> list[str]:
    return [one.name for one in result.filtered]


def test_no_file_denies_nothing(tmp_path: Path) -> None:
    assert len(select(TESTS, Selection(denylist=tmp_path / "none")).tests) == 3


@pytest.mark.parametrize("text", ["", "[]\n", "# nothing yet\n"])
def test_an_empty_file_denies_nothing(tmp_path: Path, text: str) -> None:
    assert len(chosen(tmp_path, text).tests) == 3


def test_an_entry_denies_with_its_tracker_and_place(tmp_path: Path) -> None:
    result = chosen(tmp_path, "- pattern: ext.config.*\n  tracker: https://example.org/1\n")
    assert denied(result) == ["ext.config.a", "ext.config.b"]
    assert "kola-denylist.yaml:1: ext.config.*" in result.filtered[0].reason
    assert "see https://example.org/1" in result.filtered[0].reason


@pytest.mark.parametrize(
    ("scope", "options", "applies"),
    [
        ("arches: [aarch64]", {}, False),
        ("arches: [x86_64, aarch64]", {}, True),
        ("platforms: [aws]", {}, False),
        ("platforms: [qemu]", {}, True),
        ("streams: [rawhide]", {}, False),
        ("streams: [stable]", {}, True),
        ("streams: [stable]", {"stream": None}, False),
        ('osversion: ["24.03"]', {"osversion": "24.03"}, True),
        ("osversion: [24.03]", {"osversion": "24.03"}, True),
        ('osversion: ["24.03"]', {"osversion": "22.03"}, False),
        ('osversion: ["24.03"]', {}, False),
        ("streams: []", {}, True),
    ],
)
def test_scopes(tmp_path: Path, scope: str, options: dict[str, Any], applies: bool) -> None:
    result = chosen(tmp_path, f"- pattern: ext.config.a\n  {scope}\n", **options)
    assert denied(result) == (["ext.config.a"] if applies else [])


@pytest.mark.parametrize(
    ("keys", "is_denied", "warns"),
    [
        ("snooze: 2026-06-16", True, False),
        ("snooze: 2026-06-16\n  warn: true", True, False),
        ("snooze: 2026-06-15", False, False),
        ("snooze: 2026-06-15\n  warn: true", False, True),
        ("warn: true", False, True),
        ("warn: false", True, False),
    ],
)
def test_snooze_and_warn(tmp_path: Path, keys: str, is_denied: bool, warns: bool) -> None:
    result = chosen(tmp_path, f"- pattern: ext.config.a\n  {keys}\n")
    assert ("ext.config.a" in denied(result)) is is_denied
    assert ("ext.config.a" in result.warn_on_failure) is warns


def test_skip_console_warnings_names_no_test(tmp_path: Path) -> None:
    result = chosen(tmp_path, "- pattern: skip-console-warnings\n")
    assert result.console_warnings_only
    assert (len(result.tests), result.notices) == (3, ())
    assert not chosen(
        tmp_path, "- pattern: skip-console-warnings\n  streams: [rawhide]\n"
    ).console_warnings_only


def test_what_has_no_effect_is_said_aloud(tmp_path: Path) -> None:
    result = chosen(
        tmp_path,
        "- pattern: fcos.internet\n- pattern: ext.config.a\n  snooze: 2021-10-25\n"
        "- pattern: '*b'\n  streams: [next]\n",
        stream=None,
        denylist_tests=("typo",),
    )
    said = "\n".join(result.notices)
    assert "kola-denylist.yaml:1: fcos.internet: matches no test" in said
    assert "kola-denylist.yaml:2: ext.config.a: the snooze expired on 2021-10-25" in said
    assert "the stream of this build is unknown, so 1 entry" in said
    assert "--denylist-test typo matches no test" in said
    assert len(result.tests) == 3


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        ("- pattern: a\n  patern: b\n", 2, "did you mean 'pattern'"),
        ("- tracker: x\n", 1, "an entry without a pattern"),
        ("- pattern: a\n- pattern: '['\n", 2, "malformed pattern"),
        ("- pattern: a\n  snooze: tomorrow\n", 2, "expected a date"),
        ("- pattern: a\n  warn: maybe\n", 2, "expected true or false"),
        ("- pattern: a\n  streams: next\n", 2, "expected a list"),
        ("pattern: a\n", 1, "expected a list"),
        ("- a\n", 1, "expected `key: value` pairs"),
        ("- pattern: [\n", 2, "not YAML"),
    ],
)
def test_errors_name_the_line(tmp_path: Path, text: str, line: int, says: str) -> None:
    with pytest.raises(ConfigError) as caught:
        chosen(tmp_path, text)
    assert says in str(caught.value)
    assert (caught.value.file, caught.value.line) == (tmp_path / "kola-denylist.yaml", line)


def test_merge_keys_share_what_entries_have_in_common(tmp_path: Path) -> None:
    text = (
        "- &x86\n  pattern: ext.config.a\n  arches: [x86_64]\n"
        "- <<: *x86\n  pattern: ext.config.b\n"
        "- <<: [{pattern: podman.workflow}, *x86]\n  arches: [aarch64]\n"
    )
    assert denied(chosen(tmp_path, text)) == ["ext.config.a", "ext.config.b"]


def test_a_null_document_denies_nothing(tmp_path: Path) -> None:
    assert len(chosen(tmp_path, "null\n").tests) == 3


def test_a_link_to_nowhere_is_said_aloud(tmp_path: Path) -> None:
    link = tmp_path / "kola-denylist.yaml"
    link.symlink_to("../submodule/kola-denylist.yaml")
    with pytest.raises(ConfigError, match=r"a symbolic link to nowhere \(../submodule/kola-denylist.yaml\)"):
        select(TESTS, Selection(denylist=link))


def test_an_alias_bomb_ends_at_once_in_a_sentence(tmp_path: Path) -> None:
    rows = [f"- &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 12)]
    with pytest.raises(ConfigError, match="aliases multiply this"):
        chosen(tmp_path, "- &a0 x\n" + "".join(rows))


def test_a_pipe_in_place_of_the_file_is_refused_at_once(tmp_path: Path) -> None:
    pipe = tmp_path / "kola-denylist.yaml"
    os.mkfifo(pipe)
    with pytest.raises(ConfigError, match="found a named pipe"):
        select(TESTS, Selection(denylist=pipe))

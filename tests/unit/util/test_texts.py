"""JSON and YAML of users: each error is one sentence with its line, and nothing takes for ever."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.errors import ConfigError
from harness.util.jsontext import parse_json, read_json_object
from harness.util.quote import quote
from harness.util.suggest import did_you_mean, near
from harness.util.yamltext import compose_yaml, load_yaml

LAUGHS = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{new}: &{new} [{', '.join([f'*{old}'] * 9)}]\n" for old, new in zip("abcdefgh", "bcdefghi", strict=True)
)


@pytest.mark.parametrize(
    ("text", "line", "why"),
    [
        ('{"a": 1,\n}', 2, "not JSON: "),
        ("", 1, "not JSON: "),
        ("[1, NaN]", None, "NaN is not a JSON value"),
        ("[" * 100_000, None, "nested too deeply"),
        ("[" + "1" * 5000 + "]", None, "a number is too long"),
    ],
    ids=["comma", "empty", "nan", "deep", "digits"],
)
def test_what_is_not_json(text: str, line: int | None, why: str) -> None:
    with pytest.raises(ConfigError, match=why) as caught:
        parse_json(text, file=Path("some.json"))
    assert (caught.value.file, caught.value.line) == (Path("some.json"), line)
    assert len(str(caught.value)) < 200


def test_a_json_file_holds_an_object(tmp_path: Path) -> None:
    file = tmp_path / "file.json"
    file.write_text("[]")
    with pytest.raises(ConfigError, match="not a JSON object"):
        read_json_object(file)


@pytest.mark.parametrize(
    ("text", "line", "why"),
    [
        ("a: 1\nb: c: d\n", 2, "not YAML: mapping values are not allowed"),
        ("a: 1\nb: *x\n", 2, "not YAML: found undefined alias"),
        ("a: 1\n\tb: 1\n", 2, "not YAML: "),
        ("a: 1\nb: \x01\n", 2, "not YAML: the character"),
        ("a: \udc80", 1, "not YAML: the character"),
        ("a: 1\n---\nb: 1\n", 2, "not YAML: but found another document"),
        ("[" * 5000, 1, "not YAML: exceeded maximum"),
        ("[" * 500 + "]" * 500, 1, "nested deeper than 100 levels"),
        ("a: 1\nb: &b [*b]\n", 2, "an alias contains itself"),
        (LAUGHS, 6, "aliases multiply this"),
    ],
    ids=["colon", "alias", "tab", "control", "surrogate", "documents", "open", "deep", "endless", "laughs"],
)
def test_what_is_not_yaml(text: str, line: int, why: str) -> None:
    with pytest.raises(ConfigError, match=why) as caught:
        compose_yaml(text, file=Path("some.yaml"))
    assert (caught.value.file, caught.value.line) == (Path("some.yaml"), line)
    assert len(str(caught.value)) < 200


def test_lines_count_from_where_the_text_stands() -> None:
    with pytest.raises(ConfigError) as caught:
        compose_yaml("a: 1\nb: c: d\n", first_line=10)
    assert caught.value.line == 11


@pytest.mark.parametrize("text", ["", "# nothing\n", "null\n", "~\n", "---\n"])
def test_an_empty_document_is_none(text: str) -> None:
    assert compose_yaml(text) is None


def test_further_documents_are_ignored_on_request() -> None:
    assert compose_yaml("a: 1\n---\nb: 1\n", ignore_further=True) is not None


def test_a_document_is_loaded_as_lists_dicts_and_scalars() -> None:
    assert load_yaml("a: &x [1, true]\nb: {<<: {c: ~}, d: *x}\n") == {
        "a": [1, True],
        "b": {"c": None, "d": [1, True]},
    }
    assert load_yaml("") is None


@pytest.mark.parametrize("text", ["a: !foo b", "a: !!bool maybe", "a: 2026-02-31", "? [a]\n: b", LAUGHS])
def test_a_document_that_stands_for_no_such_values_is_refused(text: str) -> None:
    with pytest.raises(ConfigError):
        load_yaml(text)


def test_a_long_value_is_quoted_shortly() -> None:
    assert quote("abc") == "'abc'"
    assert len(quote("a" * 100_000)) == 80
    assert quote(10**5000) == "a int too long to show"


def test_a_suggestion_is_near_whatever_its_case() -> None:
    assert did_you_mean("Patern", ["pattern", "warn"]) == "did you mean 'pattern'?"
    assert did_you_mean("zzz", ["b", "a"]) == "known: a, b"
    assert near("x" * 10_000, ["x" * 9_999]) == []

"""Patterns as Go's filepath.Match understands them; the table follows its own tests."""

from __future__ import annotations

import fnmatch
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import ConfigError
from kola.select.glob import matches, matches_any


@pytest.mark.parametrize(
    ("pattern", "name", "expected"),
    [
        ("abc", "abc", True),
        ("*", "abc", True),
        ("*c", "abc", True),
        ("a*", "a", True),
        ("a*", "abc", True),
        ("a*", "ab/c", False),
        ("a*/b", "abc/b", True),
        ("a*/b", "a/c/b", False),
        ("a*b*c*d*e*/f", "axbxcxdxe/f", True),
        ("a*b*c*d*e*/f", "axbxcxdxexxx/fff", False),
        ("a*b?c*x", "abxbbxdbxebxczzx", True),
        ("a*b?c*x", "abxbbxdbxebxczzy", False),
        ("ab[c]", "abc", True),
        ("ab[b-d]", "abc", True),
        ("ab[e-g]", "abc", False),
        ("ab[^c]", "abc", False),
        ("ab[^e-g]", "abc", True),
        ("a\\*b", "a*b", True),
        ("a\\*b", "ab", False),
        ("a?b", "a☺b", True),
        ("a[^a]b", "a☺b", True),
        ("a???b", "a☺b", False),
        ("[a-ζ]*", "α", True),
        ("*[a-ζ]", "A", False),
        ("a?b", "a/b", False),
        ("a*b", "a/b", False),
        ("[\\]a]", "]", True),
        ("[\\-]", "-", True),
        ("[x\\-]", "x", True),
        ("[x\\-]", "z", False),
        ("[\\-x]", "a", False),
        ("[z-a]", "m", False),
        ("[^z-a]", "m", True),
        ("ext.config.*", "ext.config.boot.grub", True),
        ("ext.config", "ext.config.boot", False),
        ("ext?config", "ext.config", True),
        ("extXconfig", "ext.config", False),
        ("basic", "basic\n", False),
        ("", "", True),
    ],
)
def test_match(pattern: str, name: str, expected: bool) -> None:
    assert matches(pattern, name) is expected


@pytest.mark.parametrize(
    "pattern", ["[]a]", "[-]", "[x-]", "[-x]", "[a-b-c]", "[", "[^", "[^bc", "a[", "a\\", "[\\"]
)
def test_malformed_patterns_are_the_users_error(pattern: str) -> None:
    with pytest.raises(ConfigError, match="malformed pattern"):
        matches(pattern, "a")


def test_matches_any() -> None:
    assert matches_any(["x", "a*"], "abc")
    assert not matches_any([], "abc")


@pytest.mark.parametrize("pattern", ["*a" * 30 + "b", "*" * 500 + "b", "a*" * 200 + "b", "*?" * 40 + "z"])
def test_many_stars_take_no_exponential_time(pattern: str) -> None:
    started = time.process_time()
    assert not matches(pattern, "a" * 300 + "c")
    assert time.process_time() - started < 2


@given(st.text("ab*?", max_size=8), st.text("ab", max_size=10))
def test_without_slashes_it_agrees_with_fnmatch(pattern: str, name: str) -> None:
    assert matches(pattern, name) is fnmatch.fnmatchcase(name, pattern)


def test_an_absurdly_long_pattern_is_refused_in_a_short_sentence() -> None:
    with pytest.raises(ConfigError, match="100000 characters") as caught:
        matches("a" * 100_000, "a")
    assert len(str(caught.value)) < 500

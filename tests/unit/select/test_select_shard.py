"""Shares of a run."""

from __future__ import annotations

import pytest

from harness.errors import ConfigError
from kola.select.shard import by_time, fnv1_64, keep


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("", 0xCBF29CE484222325),
        ("a", 0xAF63BD4C8601B7BE),
        ("ab", 0x08326707B4EB37B8),
        ("abc", 0xD8DCCA186BAFADCB),
    ],
)
def test_fnv_as_go_computes_it(text: str, value: int) -> None:
    assert fnv1_64(text) == value


def test_hash_shards_are_one_plus_the_remainder() -> None:
    assert keep(["abc"], f"hash:{0xD8DCCA186BAFADCB % 4 + 1}/4", {}) == {"abc"}


def test_no_sharding_keeps_all() -> None:
    assert keep(["a", "b"], None, {}) == {"a", "b"}


def test_time_shards_balance() -> None:
    durations = {"a": 60.0, "b": 50.0, "c": 40.0, "d": 30.0, "e": 20.0, "f": 10.0}
    shares = by_time(durations, durations, 2)
    assert sorted(name for share in shares for name in share) == list("abcdef")
    loads = [sum(durations[name] for name in share) for share in shares]
    assert max(loads) - min(loads) <= 10


def test_unknown_tests_count_as_usual_ones() -> None:
    assert by_time(["new", "old", "other"], {"old": 10.0, "other": 30.0, "gone": 20.0}, 2) == [
        ["other"],
        ["new", "old"],
    ]


@pytest.mark.parametrize(
    "text", ["", "hash", "hash:0/2", "hash:3/2", "time:1/0", "hash:a/2", "random:1/2", "hash:1/2 "]
)
def test_malformed_shards(text: str) -> None:
    if text:
        with pytest.raises(ConfigError, match="is no share"):
            keep(["a"], text, {})

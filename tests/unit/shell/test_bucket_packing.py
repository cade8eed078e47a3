"""The tests that share a machine under `--isolation=bucket`."""

from __future__ import annotations

from pathlib import Path

import pytest
from external_samples import made

from kola.cases.external import ExternalTest
from kola.shell.bucket import may_share, pack


def packed(*tests: ExternalTest) -> list[list[str]]:
    return pack([(test, test.executable.name) for test in tests])


def shared(tmp_path: Path, name: str, **keys: object) -> ExternalTest:
    return made(tmp_path, name, exclusive=False, **keys)


def test_all_share_one_machine_where_nothing_conflicts(tmp_path: Path) -> None:
    assert packed(*(shared(tmp_path, name) for name in "abc")) == [["a", "b", "c"]]


@pytest.mark.parametrize("declares", ["a", "b"])
def test_a_conflict_holds_both_ways(tmp_path: Path, declares: str) -> None:
    other = {"a": "b", "b": "a"}[declares]
    tests = [
        shared(tmp_path, name, **({"conflicts": [f"ext.proj.{other}"]} if name == declares else {}))
        for name in "abc"
    ]
    assert packed(*tests) == [["a", "c"], ["b"]]


def test_first_fit_in_the_order_given(tmp_path: Path) -> None:
    a = shared(tmp_path, "a", conflicts=["ext.proj.b", "ext.proj.c"])
    b, c, d = (shared(tmp_path, name) for name in "bcd")
    assert packed(a, b, c, d) == [["a", "d"], ["b", "c"]]


def test_copies_of_one_test_do_not_share(tmp_path: Path) -> None:
    a = shared(tmp_path, "a")
    assert pack([(a, "a0"), (a, "a1")]) == [["a0"], ["a1"]]


@pytest.mark.parametrize(
    "keys",
    [
        {},
        {"exclusive": False, "minMemory": 2048},
        {"exclusive": False, "additionalDisks": ["1G"]},
        {"exclusive": False, "appendKernelArgs": "quiet"},
        {"exclusive": False, "allowConfigWarnings": True},
        {"exclusive": False, "tags": "skip-base-checks"},
    ],
    ids=lambda keys: "-".join(keys) or "exclusive",
)
def test_who_wants_a_machine_unlike_the_others_does_not_share(
    tmp_path: Path, keys: dict[str, object]
) -> None:
    assert not may_share(made(tmp_path, "a", **keys))

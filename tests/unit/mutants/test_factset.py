"""What facts must show of mutants: words for each, and machines on which no two have the same."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path

import pytest
from mutants.factset import fact_groups, missed, named, telling, told
from mutants.mutantset import Mutant, load

BUTANE = {"storage": {"files": [{"path": "/usr/local/bin/a"}]}, "passwd": {"users": [{"name": "eve"}]}}


def mutant(
    name: str, *, facts: tuple[str, ...] = (), touches: str = "", alone: bool = False, **butane: object
) -> Mutant:
    touched = frozenset(touches.split())
    return Mutant(
        name, "it", butane, "true\n", frozenset("x"), "", alone, ("a.*",), touched, {"x": "seen"}, facts
    )


def test_each_mutant_has_words_or_a_reason() -> None:
    without = [one.name for one in load() if not (one.no_facts or told(one) or named(one))]
    assert without == []


def test_every_mutant_of_audits_is_in_one_machine() -> None:
    planted = [one.name for group in fact_groups(load()) for one in group.mutants]
    wanted = [one.name for one in load() if not one.no_facts]
    assert sorted(planted) == sorted(wanted)
    assert len(planted) > 150


def test_words_are_of_the_config_or_touched_or_said() -> None:
    assert named(mutant("a", **BUTANE)) == ("/var/usrlocal/bin/a", "accounts: eve: ")
    assert named(mutant("a", touches="fs.suid origin")) == ("fs.suid",)
    assert named(mutant("a")) == ("seen",)
    assert named(mutant("a", facts=("setuid: /x",), **BUTANE)) == ()


def test_all_words_are_missed_that_no_difference_has() -> None:
    one = mutant("a", facts=("setuid: /x", "mounts: /y"))
    found = ["failure: setuid: /x: is new", "notice: files: /x: is new"]
    assert missed(one, found) == ["mounts: /y"]
    assert telling(one, found) == found[:1]
    other = mutant("b", **BUTANE)
    assert missed(other, found) == ["/var/usrlocal/bin/a or accounts: eve: "]
    assert missed(other, ["failure: accounts: eve: is new"]) == []


@pytest.mark.parametrize(
    ("one", "other", "machines"),
    [
        (mutant("a", facts=("mounts: /usr",)), mutant("b", facts=("mounts: /usr/bin",)), 2),
        (mutant("a", facts=("mounts: /usr: ",)), mutant("b", facts=("mounts: /usr/bin: ",)), 1),
        (mutant("a", facts=("x",), touches="c"), mutant("b", facts=("y",), touches="c"), 2),
        (mutant("a", facts=("x",)), mutant("b", facts=("y",), alone=True), 2),
        (mutant("a", facts=("x",), alone=True), mutant("b", facts=("y",)), 2),
    ],
)
def test_no_two_of_a_machine_have_the_same_words(one: Mutant, other: Mutant, machines: int) -> None:
    assert len(fact_groups([one, other])) == machines


def test_machines_of_the_table_hold_no_two_alike() -> None:
    for group in fact_groups(load()):
        for one, other in combinations(group.mutants, 2):
            assert not set(told(one) + named(one)) & set(told(other) + named(other))


def test_facts_and_a_reason_against_them_are_refused(tmp_path: Path) -> None:
    entry = "{name: a, breaks: b, at_boot: c, caught_by: [d], facts: [e], no_facts: f}"
    (tmp_path / "bad.yaml").write_text(f"suites: [x]\nmutants:\n  - {entry}\n")
    with pytest.raises(ValueError, match="a: has facts and no_facts"):
        load(tmp_path)
    (tmp_path / "bad.yaml").write_text(f"suites: [x]\nno_facts: f\nmutants:\n  - {entry[:-14]}}}\n")
    with pytest.raises(ValueError, match="a: has facts and no_facts"):
        load(tmp_path)

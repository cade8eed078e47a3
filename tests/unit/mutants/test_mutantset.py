"""The table of mutants: it is sound, big enough, and packed so that each verdict has one owner."""

from __future__ import annotations

import ast
from dataclasses import replace
from pathlib import Path

import pytest
from mutants.mutantset import GROUP, Mutant, groups, load

from kola.cases.catalog import find_tests, own_root

ENTRY = """
suites: [a.*]
mutants:
  - name: one
    breaks: something
    {change}
    {verdict}
"""


def mutant(name: str, *caught_by: str, alone: bool = False, touches: str = "") -> Mutant:
    touched = frozenset(touches.split())
    return Mutant(name, "it", {}, "true\n", frozenset(caught_by), "", alone, ("a.*",), touched)


def test_there_are_at_least_a_hundred_and_sixty_and_each_makes_a_valid_config() -> None:
    mutants = load()
    assert len(mutants) >= 160
    for group in groups(mutants):
        assert group.config().to_json()


def test_every_test_that_is_to_catch_one_exists() -> None:
    names = {test.name for test in find_tests(own_root()).tests}
    for one in load():
        assert set(one.caught_by) <= names, one.name


def test_mutants_caught_by_the_same_test_never_share_a_machine() -> None:
    packed = groups([mutant("a", "x"), mutant("b", "x", "y"), mutant("c", "z"), mutant("d", "q", alone=True)])
    assert [[one.name for one in group.mutants] for group in packed] == [["d"], ["a", "c"], ["b"]]
    assert packed[1].expected == {"x", "z"}
    assert packed[1].tests == ("a.*", "x", "z")


def test_mutants_share_a_test_whose_message_tells_them_apart() -> None:
    one, other = (replace(mutant(name, "x"), says={"x": f"/etc/{name}"}) for name in ("a", "b"))
    (packed,) = groups([one, other])
    assert packed.unsaid({"x": "/etc/a: is new\n/etc/b: is new"}) == []
    assert packed.unsaid({"x": "/etc/a: is new"}) == ["b: x: /etc/b"]
    assert len(groups([one, replace(other, says=one.says)])) == 2
    assert len(groups([one, mutant("c", "x")])) == 2


def test_words_of_a_message_belong_to_a_test_or_to_several(tmp_path: Path) -> None:
    row = "caught_by: [a, {b: words}, {says: others, tests: [c, d]}]"
    (tmp_path / "good.yaml").write_text(ENTRY.format(change="at_boot: 'true'", verdict=row))
    (one,) = load(tmp_path)
    assert one.caught_by == {"a", "b", "c", "d"}
    assert one.says == {"b": "words", "c": "others", "d": "others"}


def test_every_audit_of_the_record_is_in_their_set() -> None:
    """Who adds one need not look for the rows that name them all."""
    judging = {
        f"audit.{file.stem.removeprefix('test_')}.{function.name.removeprefix('test_')}".replace("_", "-")
        for file in (own_root() / "audit").glob("test_*.py")
        for function in ast.parse(file.read_text(encoding="utf-8")).body
        if isinstance(function, ast.FunctionDef)
        and function.name.startswith("test_")
        and "record" in {one.arg for one in function.args.args}
    }
    (named,) = {frozenset(one.says) for one in load() if one.name == "ss-hides-what-listens"}
    assert named == judging | {"audit.files.usr"}


def test_the_tests_that_catch_a_mutant_are_run() -> None:
    (packed,) = groups([mutant("a", "x.one", "x.two")])
    assert packed.tests == ("a.*", "x.one", "x.two")


def test_mutants_that_change_the_same_never_share_a_machine() -> None:
    packed = groups([mutant("a", "x", touches="sshd"), mutant("b", "y", touches="sshd docker")])
    assert [[one.name for one in group.mutants] for group in packed] == [["a"], ["b"]]


def test_files_units_and_users_of_the_config_are_what_it_changes() -> None:
    butane = {
        "storage": {"files": [{"path": "/etc/a"}], "links": [{"path": "/etc/b"}]},
        "systemd": {"units": [{"name": "c.service"}]},
        "passwd": {"users": [{"name": "dora"}]},
    }
    one = Mutant("m", "it", butane, "", frozenset("x"), "", False, ())
    assert one.subjects == {"/etc/a", "/etc/b", "c.service", "user dora"}


def test_failures_are_spread_over_machines() -> None:
    packed = groups([mutant("a", "x", "y"), mutant("b", "x"), mutant("c", "z"), mutant("d", "q")])
    assert [[one.name for one in group.mutants] for group in packed] == [["a", "d"], ["b", "c"]]


def test_a_machine_holds_only_so_many_and_alone_means_alone() -> None:
    many = [mutant(f"m{number}", f"t{number}") for number in range(GROUP + 1)]
    assert [len(group.mutants) for group in groups(many)] == [13, 12]
    assert len(groups(many, alone=True)) == GROUP + 1


@pytest.mark.parametrize(
    ("change", "verdict", "complaint"),
    [
        ("at_boot: 'true'", "", "needs either caught_by or cause"),
        ("at_boot: 'true'", "caught_by: [x]\n    cause: y", "needs either caught_by or cause"),
        ("", "caught_by: [x]", "changes nothing"),
        ("at_bot: 'true'", "caught_by: [x]", "unknown keys \\['at_bot'\\]"),
    ],
)
def test_a_mutant_that_proves_nothing_is_refused(
    tmp_path: Path, change: str, verdict: str, complaint: str
) -> None:
    (tmp_path / "bad.yaml").write_text(ENTRY.format(change=change, verdict=verdict))
    with pytest.raises(ValueError, match=f"bad.yaml: one: {complaint}"):
        load(tmp_path)

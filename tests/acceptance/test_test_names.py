"""The name of a test: the same on the console, in every report, in directories, and as a pattern."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from fakes.checkout import Checkout

SUITE = """
    @pytest.mark.kola(name="mine.mount")
    @pytest.mark.parametrize("path", ["/usr", "/var", "/boot/efi"])
    def test_mount(machine, path):
        assert path != "/var", "not this one"

    @pytest.mark.kola()
    def test_plain():
        pass
"""
CASES = {"mine.mount.usr": "PASS", "mine.mount.var": "FAIL", "mine.mount.boot-efi": "PASS"}


@pytest.fixture
def checkout(checkout: Checkout) -> Checkout:
    checkout.suite(SUITE)
    return checkout


def test_a_case_has_the_same_name_everywhere(checkout: Checkout) -> None:
    ran = checkout.run("--parallel", "2")
    names = {**CASES, "mine.plain": "PASS"}
    assert ran.results == names
    assert {line[10:] for line in ran.stdout.splitlines() if line.startswith("=== RUN   ")} == set(names)
    tap = (ran.output / "test.tap").read_text()
    assert set(re.findall(r"^(?:not )?ok - ([\w.-]+)", tap, re.MULTILINE)) == set(names)
    directories = {path.name for path in ran.output.iterdir() if path.name.startswith("mine.")}
    assert directories == set(names)
    listed = checkout.finished("list", "mine.*").stdout
    assert {line.split("\t")[0].strip() for line in listed.splitlines()[2:]} == set(names)


def test_a_case_is_a_pattern_and_its_family_means_all_cases(checkout: Checkout) -> None:
    assert checkout.run("mine.mount.usr").results == {"mine.mount.usr": "PASS"}
    assert checkout.run("mine.mount").results == CASES
    assert checkout.run("--denylist-test", "mine.mount.var", "mine.mount").status == 0
    assert checkout.run("--denylist-test", "mine.mount", "mine.*").results == {"mine.plain": "PASS"}


def test_the_again_command_keeps_the_parameter(checkout: Checkout) -> None:
    printed = checkout.run().stdout
    (again,) = re.findall(r"^ *again  kola run (.*)$", printed, re.MULTILINE)
    assert shlex.split(again)[-1] == "mine.mount.var"
    assert checkout.run(*shlex.split(again), image=False).results == {"mine.mount.var": "FAIL"}


def test_copies_of_a_case_have_names_of_their_own_that_mean_the_case(checkout: Checkout) -> None:
    ran = checkout.run("--multiply", "2", "mine.mount.var", "mine.plain")
    assert ran.results == {
        "mine.mount.var0": "FAIL",
        "mine.mount.var1": "FAIL",
        "mine.plain0": "PASS",
        "mine.plain1": "PASS",
    }
    assert checkout.run("mine.mount.var1").results == {"mine.mount.var": "FAIL"}


def test_parameters_that_only_a_fixture_knows_make_a_broken_test(checkout: Checkout) -> None:
    checkout.suite(
        """
        @pytest.fixture(params=["a", "b"])
        def letter(request):
            return request.param

        @pytest.mark.kola()
        def test_it(letter):
            pass
        """,
        name="other",
    )
    ran = checkout.run("other.*")
    assert ran.results == {"other.it": "FAIL"}
    (test,) = ran.report["tests"]
    assert re.search(r"test_other.py:\d+: its parameters come from a fixture", test["reason"])


def test_a_name_is_listed_as_it_is_reported(checkout: Checkout, tmp_path: Path) -> None:
    listed = checkout.finished("list", "--json", "mine.mount").stdout
    assert all(f'"Name": "{name}"' in listed for name in CASES)

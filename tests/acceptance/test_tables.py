"""Rows of a table are tests like any other."""

from __future__ import annotations

import pytest
from fakes.checkout import Checkout

SUITE = """
@pytest.mark.kola(table="rows.toml")
def test_row(row, machine):
    assert machine.instance.spec.memory_mib == row.values["expected"]
"""
ROWS = """
[[test]]
name = "iso-one.bios"
machine = {memory_mib = 300}
expected = 300

[[test]]
name = "iso-two.bios"
expected = 300
"""


@pytest.fixture
def checkout(checkout: Checkout) -> Checkout:
    checkout.suite(SUITE)
    (checkout.root / "testsuites/rows.toml").write_text(ROWS)
    return checkout


def test_rows_run_under_their_names(checkout: Checkout) -> None:
    ran = checkout.run("--boot", "cold", "iso-*")
    assert ran.results == {"iso-one.bios": "PASS", "iso-two.bios": "FAIL"}
    assert (ran.output / "iso-one.bios").is_dir()


def test_one_row_is_chosen(checkout: Checkout) -> None:
    assert checkout.run("--boot", "cold", "iso-o*").results == {"iso-one.bios": "PASS"}


def test_copies_of_a_row(checkout: Checkout) -> None:
    ran = checkout.run("--boot", "cold", "--multiply", "2", "iso-one.*")
    assert ran.results == {"iso-one.bios0": "PASS", "iso-one.bios1": "PASS"}

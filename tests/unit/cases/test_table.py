"""Tests that are rows of a table."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.errors import ConfigError
from kola.cases.catalog import find_tests
from kola.cases.table import read_table

MODULE = """
import pytest

pytestmark = pytest.mark.kola(tags=["iso"])

@pytest.mark.kola(table="rows.toml", timeout="20m")
def test_row(row):
    pass
"""
ROWS = """
[[test]]
name = "iso-live-login.bios"
description = "it boots"
machine = {memory_mib = 2048}
medium = "cd"

[[test]]
name = "iso-live-login.uefi"
tags = ["iso", "smoke"]
timeout = "5m"
"""


def suite(root: Path, rows: str) -> Path:
    (root / "live").mkdir()
    (root / "live/test_rows.py").write_text(MODULE)
    (root / "live/rows.toml").write_text(rows)
    return root


def test_each_row_is_a_test_with_the_keywords_of_its_function(tmp_path: Path) -> None:
    catalog = find_tests(suite(tmp_path, ROWS))
    assert not catalog.errors
    bios, uefi = catalog.tests
    assert (bios.name, bios.description, bios.minutes) == ("iso-live-login.bios", "it boots", 20)
    assert (uefi.tags, uefi.minutes) == ({"iso", "smoke"}, 5)
    assert bios.source == tmp_path / "live/test_rows.py"


def test_what_is_left_is_for_the_function(tmp_path: Path) -> None:
    path = suite(tmp_path, ROWS) / "live/test_rows.py"
    rows = read_table({"table": "rows.toml"}, suite="live", module="rows", function="row", path=path, line=1)
    assert rows[0].machine == {"memory_mib": 2048}
    assert rows[0].values == {"medium": "cd"}


@pytest.mark.parametrize(
    ("rows", "line", "said"),
    [
        (ROWS + '[[test]]\nname = "a b"\n', 12, "no blanks"),
        (ROWS + '[[test]]\nmedium = "cd"\n', 12, "needs a name"),
        (ROWS + '[[test]]\nname = "c"\ntimeout = "soon"\n', 12, "timeout"),
        ("[[tests]]\nname = 1\n", None, "nothing else"),
        ("[[test]\n", None, "not TOML"),
    ],
)
def test_a_bad_row_is_named_with_its_line(tmp_path: Path, rows: str, line: int | None, said: str) -> None:
    (error,) = find_tests(suite(tmp_path, rows)).errors
    assert isinstance(error, ConfigError)
    assert (error.file, error.line) == (tmp_path / "live/rows.toml", line)
    assert said in error.message


def test_two_rows_of_one_name(tmp_path: Path) -> None:
    (error,) = find_tests(suite(tmp_path, ROWS + '[[test]]\nname = "iso-live-login.bios"\n')).errors
    assert "is taken" in error.message


def test_a_table_that_is_not_there(tmp_path: Path) -> None:
    suite(tmp_path, ROWS)
    (tmp_path / "live/rows.toml").unlink()
    (error,) = find_tests(tmp_path).errors
    assert error.file == tmp_path / "live/rows.toml"

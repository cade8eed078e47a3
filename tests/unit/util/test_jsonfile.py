"""Typed JSON files: what is written comes back, and anything else is one clear error."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import pytest

from harness.errors import ConfigError
from harness.util.jsonfile import JsonFile


@dataclass(frozen=True)
class Inner:
    words: frozenset[str]


@dataclass(frozen=True)
class Content:
    seconds: float
    where: Path
    inner: Inner = field(default_factory=lambda: Inner(frozenset()))


FORMAT = JsonFile(Content, "a record of tests")
VALUE = Content(1.5, Path("/a"), Inner(frozenset({"x", "y"})))


def test_what_is_written_comes_back(tmp_path: Path) -> None:
    FORMAT.write(tmp_path / "file", VALUE)
    assert FORMAT.read(tmp_path / "file") == VALUE
    assert [file.name for file in tmp_path.iterdir()] == ["file"]
    assert "\n" not in FORMAT.dump(VALUE)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"seconds": 1,\n nonsense', r"file:2: not a record of tests: not JSON: "),
        ("[]", r"file: not a record of tests: Input should be "),
        ('{"seconds": 1}', r"file: not a record of tests: where is missing$"),
        ('{"seconds": "long", "where": "/a"}', r"file: not a record of tests: seconds: Input should be "),
        (
            '{"seconds": 1, "where": "/a", "inner": {"words": ["x", 3]}}',
            r"file: not a record of tests: inner\.words\.1: Input should be ",
        ),
    ],
)
def test_the_first_error_is_named_with_its_place(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "file").write_text(text)
    with pytest.raises(ConfigError, match=said):
        FORMAT.read(tmp_path / "file")


def test_a_file_that_is_missing_or_too_large_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read: No such file"):
        FORMAT.read(tmp_path / "none")
    (tmp_path / "file").write_text(FORMAT.dump(VALUE))
    with pytest.raises(ConfigError, match="larger than 10 B"):
        JsonFile(Content, "a record of tests", limit=10).read(tmp_path / "file")

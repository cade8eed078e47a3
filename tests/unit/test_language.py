"""The language of docstrings and docs: docstrings name their subject, and docs are 100 columns wide."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCES = ("harness", "kola", "testsuites")
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
WIDTH = 100

WITHHOLDS_ITS_SUBJECT = re.compile(r"\s*(What|Whether|How|Where|When|That|Which|Who|Whose|Whom|Why)\b")


def docstrings(path: Path) -> Iterator[tuple[int, str]]:
    """Yield line and text of docstrings, including those below a constant or a field."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        body = getattr(node, "body", None)
        for statement in body if isinstance(body, list) else []:
            match statement:
                case ast.Expr(value=ast.Constant(value=str(text))):
                    yield statement.lineno, text


def too_wide(page: Path) -> Iterator[str]:
    """Yield lines of prose and lists that are too long. Tables and code blocks may be wider."""
    fenced = False
    for number, line in enumerate(page.read_text(encoding="utf-8").splitlines(), start=1):
        fenced ^= line.startswith("```")
        if len(line) > WIDTH and not fenced and not line.startswith(("|", "    ")):
            yield f"{page.name}:{number}"


def test_docstrings_name_their_subject() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{line}: {text.splitlines()[0]}"
        for source in SOURCES
        for path in sorted((ROOT / source).rglob("*.py"))
        for line, text in docstrings(path)
        if WITHHOLDS_ITS_SUBJECT.match(text)
    ]
    assert found == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_pages_have_one_width(page: Path) -> None:
    assert list(too_wide(page)) == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_pages_hold_no_unfinished_merge(page: Path) -> None:
    assert not re.search(r"<<<<<<< |>>>>>>> ", page.read_text(encoding="utf-8"))


def test_a_withheld_subject_is_found(tmp_path: Path) -> None:
    module = tmp_path / "module.py"
    module.write_text('X = 1\n"""What X is."""\n\n\ndef f():\n    """Whether it is."""\n', encoding="utf-8")
    found = [(line, text) for line, text in docstrings(module) if WITHHOLDS_ITS_SUBJECT.match(text)]
    assert sorted(found) == [(2, "What X is."), (6, "Whether it is.")]


def test_a_long_line_is_found(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"{'x ' * 60}\n```\n{'y' * 120}\n```\n- {'z ' * 60}\n", encoding="utf-8")
    assert list(too_wide(page)) == ["page.md:1", "page.md:5"]

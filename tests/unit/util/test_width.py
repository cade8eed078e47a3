"""Text in columns: Chinese characters take two, and lines of them end where Chinese lines may."""

from __future__ import annotations

import pytest

from harness.util.width import cut, padded, width, wrapped
from kola.cli.table import aligned


def test_a_chinese_character_takes_two_columns() -> None:
    assert width("虚拟机 m1，") == 6 + 3 + 2
    assert width("e\N{COMBINING ACUTE ACCENT}…") == 2
    assert padded("名称", 6) == "名称  " and padded("toolong", 3) == "toolong"
    assert cut("名称", 3) == "名" and cut("abc", 9) == "abc"


@pytest.mark.parametrize(
    ("text", "columns", "lines"),
    [
        ("the quick  brown\nfox", 9, ["the quick", "brown fox"]),
        ("averyveryverylongword and", 8, ["averyveryverylongword", "and"]),
        ("启动虚拟机，并打开。", 10, ["启动虚拟", "机，并打", "开。"]),
        ("用（kola ps）列出", 10, ["用（kola", "ps）列出"]),
        ("用 --output-dir 指定", 8, ["用", "--output-dir", "指定"]),
        ("", 8, []),
    ],
)
def test_lines_end_where_they_may(text: str, columns: int, lines: list[str]) -> None:
    assert wrapped(text, columns) == lines


def test_lines_have_their_indents() -> None:
    assert wrapped("名称和标签", 6, first="- ", rest="  ") == ["- 名称", "  和标", "  签"]


def test_columns_of_a_table_begin_at_the_same_place() -> None:
    table = aligned([("名称名称", "x"), ("name", "y"), ("longer-name", "z")])
    assert [width(line.expandtabs()[:-1]) for line in table.splitlines() if line.isascii()] == [16, 16]
    assert table.splitlines()[0] == "名称名称\tx"

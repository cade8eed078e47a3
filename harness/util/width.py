"""Text in columns of a terminal, where a Chinese character takes two."""

from __future__ import annotations

import re
import unicodedata

_NEVER_FIRST = "，。；：！？、）》」』】…·"
_NEVER_LAST = "（《「『【"
_CHINESE = "\u2e80-\u9fff\uf900-\ufaff"
_PIECE = re.compile(
    rf"\s+|[{_NEVER_LAST}]*"
    rf"(?:[{_CHINESE}]|[^\s{_CHINESE}{_NEVER_FIRST}{_NEVER_LAST}]+|(?<!\S)[{_NEVER_FIRST}])?[{_NEVER_FIRST}]*"
)
"""Blanks; a Chinese character or a word, with the brackets before it and the marks behind it."""


def width(text: str) -> int:
    """Return the number of columns that a text takes."""
    return sum(_columns(character) for character in text)


def padded(text: str, columns: int) -> str:
    """Return a text with blanks behind it up to this number of columns."""
    return text + " " * (columns - width(text))


def cut(text: str, columns: int) -> str:
    """Return the beginning of a text that fits into this number of columns."""
    taken = 0
    for at, character in enumerate(text):
        taken += _columns(character)
        if taken > columns:
            return text[:at]
    return text


def wrapped(text: str, columns: int, *, first: str = "", rest: str = "") -> list[str]:
    """Return a text in lines of this number of columns, `first` before the first one, `rest` before others.

    Between Chinese characters a line may end anywhere, except before a comma and the like. A word that is
    longer than a line has one of its own.
    """
    lines, line = [], first
    empty = True
    for piece in _PIECE.findall(" ".join(text.split())):
        if not piece or (piece.isspace() and empty):
            continue
        if not empty and width(line) + width(piece.rstrip()) > columns:
            lines.append(line.rstrip())
            line, empty = rest, True
            piece = piece.lstrip()
        line += piece
        empty = empty and not piece
    return [*lines, line.rstrip()] if not empty else lines


def _columns(character: str) -> int:
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1

"""Quoting of user input, so that a message stays one sentence whatever was typed."""

from __future__ import annotations

import re

_LONGEST = 80
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")


def printable(text: str) -> str:
    """Return the text with escapes for control characters and for bytes that are not UTF-8 (PEP 383)."""
    text = text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    return _CONTROL.sub(lambda found: repr(found[0])[1:-1], text)


def shortened(text: str, longest: int = 400) -> str:
    """Return the text, cut in the middle when it has more than `longest` characters."""
    if len(text) <= longest:
        return text
    half = longest // 2
    return f"{text[:half]}…{text[-half + 1 :]}"


def quote(value: object) -> str:
    """Return `repr` of the value, cut in the middle when it is longer than 80 characters."""
    try:
        text = repr(value)
    except (RecursionError, ValueError):  # nested without end, or a number of thousands of digits
        return f"a {type(value).__name__} too long to show"
    return shortened(text, _LONGEST)

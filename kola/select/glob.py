"""Patterns for test names, with the rules of Go's `filepath.Match` that kola's users know."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache

from harness.errors import ConfigError
from harness.util.quote import quote

_LONGEST = 2000


@lru_cache(maxsize=512)
def compiled(pattern: str) -> re.Pattern[str]:
    """Compile the pattern to a regular expression. Raises ConfigError if it is malformed or absurdly long.

    `*` and `?` do not cross `/`; `[a-z]` and `[^a-z]` are classes; a backslash takes the next
    character literally. As in Go, each `*` before the last one takes as little as it can and is never tried
    again (an atomic group), so a pattern of many `*` costs quadratic time, not exponential time.
    """
    if len(pattern) > _LONGEST:
        raise _malformed(pattern, f"it has {len(pattern)} characters, more than {_LONGEST}")
    first, *others = _chunks(pattern)
    if not others:
        return re.compile(first, re.DOTALL)
    middle = "".join(f"(?>[^/]*?{chunk})" for chunk in others[:-1] if chunk)
    return re.compile(f"{first}{middle}[^/]*{others[-1]}", re.DOTALL)


def _chunks(pattern: str) -> list[str]:
    """Return the regular expressions of the parts before, between and after the stars."""
    chunks = [""]
    at = 0
    while at < len(pattern):
        char = pattern[at]
        at += 1
        if char == "*":
            chunks.append("")
        elif char == "?":
            chunks[-1] += "[^/]"
        elif char == "[":
            text, at = _character_class(pattern, at)
            chunks[-1] += text
        elif char == "\\":
            if at == len(pattern):
                raise _malformed(pattern, "it ends in a lone backslash")
            chunks[-1] += re.escape(pattern[at])
            at += 1
        else:
            chunks[-1] += re.escape(char)
    return chunks


def matches(pattern: str, name: str) -> bool:
    """Return True when the whole name matches the pattern."""
    return compiled(pattern).fullmatch(name) is not None


def matches_any(patterns: Iterable[str], name: str) -> bool:
    """Return True when one of the patterns matches the whole name."""
    return any(matches(pattern, name) for pattern in patterns)


def _character_class(pattern: str, at: int) -> tuple[str, int]:
    """Return the class after `[` at `at`, as a regular expression, and the position of its end."""
    negated = pattern[at : at + 1] == "^"
    at += negated
    ranges: list[str] = []
    while not (ranges and pattern[at : at + 1] == "]"):
        low, at = _class_member(pattern, at)
        high = low
        if pattern[at : at + 1] == "-":
            high, at = _class_member(pattern, at + 1)
        # As in Go, a range that runs backwards is allowed and matches nothing.
        ranges.append(f"{re.escape(low)}-{re.escape(high)}" if low <= high else "")
    body = "".join(ranges)
    if not body:
        return (r"[\s\S]" if negated else r"(?!)"), at + 1
    return f"[{'^' if negated else ''}{body}]", at + 1


def _class_member(pattern: str, at: int) -> tuple[str, int]:
    char = pattern[at : at + 1]
    if char in ("", "-", "]"):
        raise _malformed(pattern, "its `[` is never closed" if not char else f"misplaced {char!r} in `[…]`")
    if char != "\\":
        return char, at + 1
    if at + 1 == len(pattern):
        raise _malformed(pattern, "it ends in a lone backslash")
    return pattern[at + 1], at + 2


def _malformed(pattern: str, why: str) -> ConfigError:
    return ConfigError(
        f"malformed pattern {quote(pattern)}: {why}",
        hint="`*`, `?` and `[a-z]` are special; put a backslash before one that is meant literally",
    )

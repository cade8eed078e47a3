"""Test name patterns, with the rules of Go's `filepath.Match` that kola's users know."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache

from harness.errors import ConfigError


@lru_cache(maxsize=512)
def compiled(pattern: str) -> re.Pattern[str]:
    """The pattern as a regular expression; ConfigError if it is malformed.

    `*` and `?` do not cross `/`; `[a-z]` and `[^a-z]` are classes; a backslash takes the next
    character literally.
    """
    parts: list[str] = []
    at = 0
    while at < len(pattern):
        char = pattern[at]
        at += 1
        if char == "*":
            parts.append("[^/]*")
        elif char == "?":
            parts.append("[^/]")
        elif char == "[":
            text, at = _character_class(pattern, at)
            parts.append(text)
        elif char == "\\":
            if at == len(pattern):
                raise _malformed(pattern, "it ends in a lone backslash")
            parts.append(re.escape(pattern[at]))
            at += 1
        else:
            parts.append(re.escape(char))
    return re.compile("".join(parts), re.DOTALL)


def matches(pattern: str, name: str) -> bool:
    """Whether the whole name matches the pattern."""
    return compiled(pattern).fullmatch(name) is not None


def matches_any(patterns: Iterable[str], name: str) -> bool:
    """Whether one of the patterns matches the whole name."""
    return any(matches(pattern, name) for pattern in patterns)


def _character_class(pattern: str, at: int) -> tuple[str, int]:
    """The class that starts after `[` at `at`, as a regular expression, and where it ends."""
    negated = pattern[at : at + 1] == "^"
    at += negated
    ranges: list[str] = []
    while not (ranges and pattern[at : at + 1] == "]"):
        low, at = _class_member(pattern, at)
        high = low
        if pattern[at : at + 1] == "-":
            high, at = _class_member(pattern, at + 1)
        # As in Go, a range that runs backwards is allowed and holds nothing.
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
        f"malformed pattern {pattern!r}: {why}",
        hint="`*`, `?` and `[a-z]` are special; put a backslash before one that is meant literally",
    )

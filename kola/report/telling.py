"""Selection of the most telling line from a test's output."""

from __future__ import annotations

import re

from harness.util import ansi

_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_PYTEST_ERROR = re.compile(r"^E {3}\s*(?P<text>\S.*)$")
_DAMNING = re.compile(
    r"kernel panic|emergency (shell|mode|target)|\boops:|oom-killer|core dump|segfault|timed out after",
    re.IGNORECASE,
)
_BAD = re.compile(
    r"\berror\b|\bfail(ed|ure|ures)?\b|\bfatal\b|\brefused\b|\bdenied\b|\bnot found\b", re.IGNORECASE
)
_SECTION = re.compile(r"Captured .* (setup|call|teardown):$")
LONGEST = 200


def plain(text: str) -> str:
    """Return the text without terminal escapes and control characters, which a guest's console is full of."""
    return _CONTROLS.sub("", ansi.strip(text))


def telling_line(output: str) -> str:
    """Return the line a person should read first; empty when there was no output.

    The order of preference: pytest's message (`E   …`) of the last error, a catastrophe in the log, the last
    line that mentions an error, the last line. For the last two, the test's own output precedes what was
    captured around it.
    """
    lines = [line.rstrip() for line in plain(output).splitlines() if line.strip()]
    captured = next((at for at, line in enumerate(lines) if _SECTION.match(line)), len(lines))
    own = lines[:captured] or lines
    chosen = _last_pytest_error(lines) or _first(_DAMNING, lines) or _first(_BAD, own[::-1])
    return shorten((chosen or (own[-1] if own else "")).strip())


def shorten(line: str, longest: int = LONGEST) -> str:
    """Return at most `longest` characters of the line."""
    return line if len(line) <= longest else line[: longest - 1].rstrip() + "…"


def _last_pytest_error(lines: list[str]) -> str:
    """Return the first line of the last block of `E` lines: with chained errors the last one ended the
    test.
    """
    found = ""
    in_block = False
    for line in lines:
        match = _PYTEST_ERROR.match(line)
        if match and not in_block:
            found = match["text"]
        in_block = match is not None or line == "E"
    return found


def _first(pattern: re.Pattern[str], lines: list[str]) -> str:
    return next((line for line in lines if pattern.search(line)), "")

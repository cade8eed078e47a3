"""Out of all a test said, the one line that tells most."""

from __future__ import annotations

import re

_ESCAPES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[ -/]*[0-~])")
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
    """The text without terminal escapes and control characters, which a guest's console is full of."""
    return _CONTROLS.sub("", _ESCAPES.sub("", text.replace("\r\n", "\n")))


def telling_line(output: str) -> str:
    """The line a person should read first; empty when there was no output.

    pytest's own account (`E   …`) of the last error wins, then a catastrophe in the log, then the last
    line that speaks of an error, then the last line; for these two the test's own words come before what
    was captured around it.
    """
    lines = [line.rstrip() for line in plain(output).splitlines() if line.strip()]
    captured = next((at for at, line in enumerate(lines) if _SECTION.match(line)), len(lines))
    own = lines[:captured] or lines
    chosen = _last_pytest_error(lines) or _first(_DAMNING, lines) or _first(_BAD, own[::-1])
    return shorten((chosen or (own[-1] if own else "")).strip())


def shorten(line: str, longest: int = LONGEST) -> str:
    """At most `longest` characters of it."""
    return line if len(line) <= longest else line[: longest - 1].rstrip() + "…"


def _last_pytest_error(lines: list[str]) -> str:
    """The first line of the last block of `E` lines: with chained errors the last is what ended the test."""
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

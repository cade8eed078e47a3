"""Terminal escape sequences (ECMA-48; xterm: ctlseqs) and carriage returns, which a reader does not see."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping

_LONGEST = 2048
"""Maximum characters of a string sequence. A stray introducer in noise hides no more than that."""

_BODY = rf"[^\x07\x1b\n]{{0,{_LONGEST}}}"
_WHOLE = (
    r"\x1b\[[0-?]*[ -/]*[@-~]"  # CSI: colours, cursor movement
    rf"|\x1b[\]PX^_]{_BODY}(?:\x07|\x1b\\)"  # OSC and its like: window titles, systemd's context marks
    r"|\x1b[ -/]*[0-OQ-WYZ\\`-~]"  # the short ones
    r"|\r"
)
_BEGUN = rf"|\x1b(?:\[[0-?]*[ -/]*|[\]PX^_]{_BODY}\x1b?|[ -/]*)\Z"

_ESCAPES = re.compile(_WHOLE)
_ESCAPES_IN_BYTES = re.compile((_WHOLE + _BEGUN).encode("latin-1"))


def is_dumb(environ: Mapping[str, str] = os.environ) -> bool:
    """Return True for a terminal that is unknown, or shows escape sequences as text (terminfo(5): dumb)."""
    return environ.get("TERM", "") in ("", "dumb", "unknown")


def strip(text: str) -> str:
    """Return the text without escape sequences and carriage returns. Takes linear time."""
    return _ESCAPES.sub("", text) if "\x1b" in text or "\r" in text else text


def hidden(raw: bytes) -> list[tuple[int, int]]:
    """Return start and end of everything a reader does not see; the last sequence may be unfinished."""
    return [found.span() for found in _ESCAPES_IN_BYTES.finditer(raw)]

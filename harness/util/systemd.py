"""Names of systemd units (systemd.unit(5), "String Escaping for Inclusion in Unit Names")."""

from __future__ import annotations

import re

_PLAIN = re.compile(r"[A-Za-z0-9:_.]")


def escape(text: str) -> str:
    """Escape like `systemd-escape`: a byte that a unit name cannot hold becomes `\\xNN`, a slash a dash."""
    escaped = "".join(map(_escape_character, text))
    # Only the first character of the whole name must not be a dot.
    return rf"\x2e{escaped[1:]}" if escaped.startswith(".") else escaped


def escape_path(path: str) -> str:
    """Escape like `systemd-escape --path`. Raises ValueError for a path with `..` in it."""
    words = [word for word in path.split("/") if word not in ("", ".")]
    if ".." in words:
        raise ValueError(f"{path!r} is no path for a unit")
    return escape("/".join(words)) if words else "-"


def unit_of_path(path: str, kind: str) -> str:
    """Return the unit of a mount point or device: `unit_of_path("/var/data", "mount")` is
    `var-data.mount`.
    """
    return f"{escape_path(path)}.{kind}"


def _escape_character(character: str) -> str:
    if character == "/":
        return "-"
    if _PLAIN.fullmatch(character):
        return character
    return "".join(rf"\x{byte:02x}" for byte in character.encode("utf-8", "surrogateescape"))

"""Rules for file names that become names of tests."""

from __future__ import annotations

import os
import re
from urllib.parse import quote_from_bytes

from harness.errors import ConfigError
from harness.util.quote import printable

LONGEST_NAME = 200
"""Maximum length in bytes. Directories are named after tests, and file systems allow 255."""

_MEANINGFUL = re.compile(r"[][*?\\]")


def name_fault(name: str) -> ConfigError | None:
    """Return the reason why a file or directory name cannot be part of a test's name; None if it can.

    Test names are typed as patterns, travel between processes as UTF-8 and become directories.
    """
    if name != printable(name):
        why = "is not UTF-8" if _surrogates(name) else "has a control character"
    elif _MEANINGFUL.search(name):
        why = "has a character that patterns give a meaning to: one of * ? [ ] \\"
    elif len(name.encode()) > LONGEST_NAME:
        why = f"is longer than {LONGEST_NAME} bytes"
    else:
        return None
    return ConfigError(f"the file name {shown(name)} {why}", hint="rename it: the name becomes a test's name")


def shown(name: str) -> str:
    """Return the name as part of a test's name, shortened if it is too long.

    Bytes that are not UTF-8, control characters and those of patterns become `%XX`, which can be pasted back.
    """
    text = "".join(
        char
        if char.isprintable() and not _MEANINGFUL.match(char)
        else quote_from_bytes(os.fsencode(char), "")
        for char in name
    )
    return text if len(text) <= LONGEST_NAME else f"{text[: LONGEST_NAME // 2]}…"


def prefix_of(directory: str) -> str:
    """Return the prefix of a project's test names: the name of its directory, without special characters."""
    return "ext." + "".join(
        char if char.isprintable() and not _MEANINGFUL.match(char) else "_" for char in directory
    )


def _surrogates(name: str) -> bool:
    return os.fsencode(name).decode("utf-8", "ignore") != name

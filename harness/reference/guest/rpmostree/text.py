"""Output that several commands share."""

from __future__ import annotations

import datetime
from collections.abc import Iterable

_KEY_WIDTH = len("InactiveRemoteOverrides")


def key_value(key: str, value: str) -> str:
    """Return a line of `status`: the key at the right of its column."""
    return f"  {key:>{_KEY_WIDTH}}: {value}"


def time_utc(seconds: int) -> str:
    """Format seconds since 1970 as `2025-09-01T00:00:00Z`."""
    return datetime.datetime.fromtimestamp(seconds, datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def quoted(words: Iterable[str]) -> str:
    """Return words in order; those that a shell would split are quoted."""
    plain = set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_=./:+~^")
    return " ".join(word if set(word) <= plain else f"'{word}'" for word in sorted(words, key=str.lower))


NEVRA = tuple[str, str, str, str, str]


class PackageDiff:
    """The differences between the package lists of two commits (name, epoch, version, release, arch)."""

    def __init__(self, old: Iterable[NEVRA], new: Iterable[NEVRA]) -> None:
        before = {(row[0], row[4]): row for row in old}
        after = {(row[0], row[4]): row for row in new}
        self.added = [after[key] for key in sorted(after.keys() - before.keys())]
        self.removed = [before[key] for key in sorted(before.keys() - after.keys())]
        self.changed = [
            (before[key], after[key])
            for key in sorted(before.keys() & after.keys())
            if before[key] != after[key]
        ]

    def summary(self) -> str:
        """Return `1 upgraded, 2 removed, 3 added`, empty without differences."""
        counts = (
            (len(self.changed), "upgraded"),
            (len(self.removed), "removed"),
            (len(self.added), "added"),
        )
        return ", ".join(f"{number} {what}" for number, what in counts if number)

    def lines(self) -> list[str]:
        """Return the blocks that follow a transaction."""
        result = []
        if self.changed:
            result.append("Upgraded:")
            result += [f"  {old[0]} {evr(old)} -> {evr(new)}" for old, new in self.changed]
        if self.removed:
            result += ["Removed:", *(f"  {nevra(row)}" for row in self.removed)]
        if self.added:
            result += ["Added:", *(f"  {nevra(row)}" for row in self.added)]
        return result


def evr(row: NEVRA) -> str:
    """Return `[epoch:]version-release`."""
    return f"{row[1]}:{row[2]}-{row[3]}" if row[1] not in ("", "0") else f"{row[2]}-{row[3]}"


def nevra(row: NEVRA) -> str:
    """Return `name-[epoch:]version-release.arch`."""
    return f"{row[0]}-{evr(row)}.{row[4]}"

"""Tables as the Go kola prints them: columns separated by tabs."""

from __future__ import annotations

from collections.abc import Sequence

from harness.util.width import width

_TAB = 8


def aligned(rows: Sequence[Sequence[str]]) -> str:
    """Return the rows, one a line, padded with tabs so that every column begins at a tab stop."""
    stops = [1 + max(map(width, column)) // _TAB for column in zip(*rows, strict=True)]
    return "\n".join(
        "".join(
            cell + "\t" * (stop - width(cell) // _TAB) for cell, stop in zip(row[:-1], stops, strict=False)
        )
        + row[-1]
        for row in rows
    )

"""Tests that have not started: in order, and by what they need."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence

from kola.schedule.need import Need


class Pending:
    """Tests of one need wait in one line, so that a need that cannot be met is asked for once only."""

    def __init__(self, order: Sequence[int], needs: Sequence[Need]) -> None:
        """`order` has indices of tests, first to start first; `needs` has the need of each index."""
        self._needs = needs
        self._rank = {index: rank for rank, index in enumerate(order)}
        self._lines: dict[Need, deque[int]] = {}
        for index in order:
            self._lines.setdefault(needs[index], deque()).append(index)

    def __bool__(self) -> bool:
        return bool(self._lines)

    def heads(self) -> Iterator[tuple[int, Need]]:
        """The first test of each need, in order."""
        firsts = sorted(self._lines, key=lambda need: self._rank[self._lines[need][0]])
        for need in firsts:
            yield self._lines[need][0], need

    def remove_head(self, need: Need) -> None:
        line = self._lines[need]
        line.popleft()
        if not line:
            del self._lines[need]

    def put_first(self, index: int) -> None:
        """Before all others."""
        self._rank[index] = min(self._rank.values(), default=0) - 1
        self._lines.setdefault(self._needs[index], deque()).appendleft(index)

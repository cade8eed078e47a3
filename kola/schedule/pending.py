"""The queue of tests that have not started: in order, and by kind."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from kola.schedule.need import Need


@dataclass(frozen=True)
class Kind:
    """The properties of a test that matter for scheduling: its need, the templates of its machine, and the
    keys of hosts that refuse such a machine.
    """

    need: Need = field(default_factory=Need)
    templates: tuple[str, ...] = ()
    avoid: tuple[str, ...] = ()


class Pending:
    """The pending tests.

    Those of one kind share a queue, so that a need that cannot be met is requested only once.
    """

    def __init__(self, order: Sequence[int], kinds: Sequence[Kind]) -> None:
        """`order` has indices of tests, first to start first; `kinds` has the kind of each index."""
        self._kinds = kinds
        self._rank = {index: rank for rank, index in enumerate(order)}
        self._lines: dict[Kind, deque[int]] = {}
        self._wanted: Counter[str] = Counter()
        for index in order:
            self._lines.setdefault(kinds[index], deque()).append(index)
            self._wanted.update(kinds[index].templates)

    def __bool__(self) -> bool:
        return bool(self._lines)

    def heads(self) -> Iterator[tuple[int, Kind]]:
        """Yield the first test of each kind, in order."""
        firsts = sorted(self._lines, key=lambda kind: self._rank[self._lines[kind][0]])
        for kind in firsts:
            yield self._lines[kind][0], kind

    def wanted(self) -> dict[str, int]:
        """Return the templates that pending tests want, with their numbers."""
        return {template: count for template, count in self._wanted.items() if count}

    def remove_head(self, kind: Kind) -> None:
        line = self._lines[kind]
        line.popleft()
        self._wanted.subtract(kind.templates)
        if not line:
            del self._lines[kind]

    def put_first(self, index: int) -> None:
        """Put a test before all others."""
        self._rank[index] = min(self._rank.values(), default=0) - 1
        self._lines.setdefault(self._kinds[index], deque()).appendleft(index)
        self._wanted.update(self._kinds[index].templates)

"""The order in which tests start while templates are still missing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Set
from enum import IntEnum

from kola.schedule.pending import Kind


class Turn(IntEnum):
    """The place of a test in the order: makers of templates for others first, those who would wait last."""

    MAKES = 0
    NEEDS_NONE = 1
    WAITS = 2


Head = tuple[int, Kind]


def in_turn(heads: Iterable[Head], *, missing: Mapping[str, int], making: Set[str]) -> list[Head]:
    """Return the tests in the order in which they start; otherwise their order stays.

    `missing` has the templates that do not exist, with the number of tests that have not started and want
    them; running tests make those in `making`. Each missing template that several tests want is made at once,
    the one that most tests want first. So two workers make two templates side by side. While a template is
    made, tests start that do not want it. A test that is alone with its template makes nobody wait.
    """

    def turn(head: Head) -> tuple[Turn, int]:
        wanted = [template for template in head[1].templates if template in missing]
        if not making.isdisjoint(wanted):
            return Turn.WAITS, 0
        most = max((missing[template] for template in wanted), default=0)
        return (Turn.MAKES, -most) if most > 1 else (Turn.NEEDS_NONE, 0)

    return sorted(heads, key=turn)

"""Which tests start first while templates are missing, and that none waits without need."""

from __future__ import annotations

from kola.schedule.need import Need
from kola.schedule.pending import Kind, Pending
from kola.schedule.turns import in_turn

COLD = Kind(Need(100))
ONE = Kind(Need(200), ("one",))
TWO = Kind(Need(300), ("two",))
ON_ONE = Kind(Need(400), ("one", "prepared"))


def order(*kinds: Kind, missing: dict[str, int], making: frozenset[str] = frozenset()) -> list[Kind]:
    return [kind for _, kind in in_turn(enumerate(kinds), missing=missing, making=making)]


def test_what_others_wait_for_is_made_first_by_the_one_that_most_wait_for() -> None:
    assert order(COLD, ONE, TWO, missing={"one": 2, "two": 5}) == [TWO, ONE, COLD]


def test_a_template_for_one_test_alone_makes_nobody_wait() -> None:
    assert order(COLD, ONE, TWO, missing={"one": 1, "two": 2}) == [TWO, COLD, ONE]


def test_what_is_being_made_is_waited_for_last() -> None:
    assert order(ONE, COLD, TWO, missing={"one": 3, "two": 3}, making=frozenset({"one"})) == [TWO, COLD, ONE]


def test_a_preparation_waits_for_its_base() -> None:
    assert order(ON_ONE, COLD, missing={"one": 4, "prepared": 2}, making=frozenset({"one"})) == [COLD, ON_ONE]


def test_with_all_templates_there_the_order_stays() -> None:
    kinds = [TWO, COLD, ONE, ON_ONE]
    assert order(*kinds, missing={}) == kinds


def test_the_pending_know_how_many_want_each_template() -> None:
    pending = Pending([0, 1, 2, 3], [ONE, ONE, ON_ONE, COLD])
    assert pending.wanted() == {"one": 3, "prepared": 1}
    pending.remove_head(ONE)
    pending.remove_head(ON_ONE)
    assert pending.wanted() == {"one": 1}
    pending.put_first(0)
    assert pending.wanted() == {"one": 2}

"""The tests that prove each promise, and their results."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from kola.cases.model import TestInfo
from kola.cases.promises.table import Promise, Promises

NOT_RUN = "not run"


class State(StrEnum):
    """The state of a promise: the worst result of its tests, or the reason why there is none."""

    BROKEN = "broken"
    DOUBTFUL = "doubtful"
    UNPROVED = "unproved"
    KEPT = "kept"
    OF_KOLA = "of kola itself"
    UNCOVERED = "uncovered"


@dataclass(frozen=True)
class Status:
    """A promise, its tests in order of their names, and the last verdict on each."""

    promise: Promise
    verdicts: tuple[tuple[str, str], ...]

    @property
    def state(self) -> State:
        """The state. A promise is kept when a test passed and none failed, warned or was flaky."""
        said = {verdict for _, verdict in self.verdicts}
        if not said:
            return State.OF_KOLA if self.promise.own_tests else State.UNCOVERED
        if "FAIL" in said:
            return State.BROKEN
        if said & {"WARN", "FLAKY"}:
            return State.DOUBTFUL
        return State.KEPT if "PASS" in said else State.UNPROVED


def statuses(promises: Promises, tests: Iterable[TestInfo], verdicts: Mapping[str, str]) -> list[Status]:
    """Return the status of each promise, in the guide's order; `verdicts` by test name."""
    proving: dict[Promise, list[str]] = {promise: [] for promise in promises.promises}
    for test in sorted(tests, key=lambda test: test.name):
        for promise in dict.fromkeys(promises.find(citation) for citation in test.guide):
            proving[promise].append(test.name)
    return [
        Status(promise, tuple((name, verdicts.get(name, NOT_RUN)) for name in names))
        for promise, names in proving.items()
    ]

"""An xdist scheduler that hands out one test at a time (xdist.scheduler.protocol.Scheduling)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from xdist.workermanage import WorkerController

Order = Callable[[Sequence[str]], list[int]]
CRASH_ATTEMPTS = 2


class KolaScheduling:
    """Each idle worker gets the first pending test; `order` sorts them, heaviest first.

    A test whose worker crashed runs once more, on the worker that replaces it.
    """

    def __init__(self, config: Any, order: Order) -> None:
        self._numnodes = len(config.getvalue("tx") or []) or int(config.getvalue("numprocesses") or 1)
        self._order = order
        self._ids: list[str] | None = None
        self._collected: dict[WorkerController, Sequence[str]] = {}
        self._running: dict[WorkerController, int | None] = {}
        self._pending: list[int] = []
        self._crashes: dict[str, int] = {}
        self._started = False

    @property
    def nodes(self) -> list[WorkerController]:
        return list(self._running)

    @property
    def collection_is_completed(self) -> bool:
        return self._started or len(self._collected) >= self._numnodes

    @property
    def tests_finished(self) -> bool:
        return self._started and not self.has_pending

    @property
    def has_pending(self) -> bool:
        return bool(self._pending) or any(index is not None for index in self._running.values())

    def add_node(self, node: WorkerController) -> None:
        self._running[node] = None

    def add_node_collection(self, node: WorkerController, collection: Sequence[str]) -> None:
        self._collected[node] = collection
        if self._ids is not None and list(collection) != self._ids:
            node.shutdown()
            raise RuntimeError(f"{node.gateway.id} collected other tests than the first worker did")
        if self._ids is None:
            self._ids = list(collection)

    def schedule(self) -> None:
        if not self._started:
            self._started = True
            self._pending = self._order(self._ids or [])
        for node in self._running:
            self._feed(node)

    def _feed(self, node: WorkerController) -> None:
        if self._running[node] is None and self._pending and node in self._collected:
            index = self._pending.pop(0)
            self._running[node] = index
            node.send_runtest_some([index])

    def mark_test_complete(self, node: WorkerController, item_index: int, duration: float = 0) -> None:
        self._running[node] = None
        self._feed(node)

    def mark_test_pending(self, item: str) -> None:
        """Put a test back in front; a replacement worker takes it."""
        self._pending.insert(0, (self._ids or []).index(item))
        for node in self._running:
            self._feed(node)

    def may_retry(self, item: str) -> bool:
        """Whether a test whose worker crashed gets another go."""
        self._crashes[item] = self._crashes.get(item, 0) + 1
        return self._crashes[item] < CRASH_ATTEMPTS

    def remove_pending_tests_from_node(self, node: WorkerController, indices: Sequence[int]) -> None:
        raise RuntimeError("nothing is ever stolen: workers hold no pending tests")

    def remove_node(self, node: WorkerController) -> str | None:
        """The test it was running, if any."""
        index = self._running.pop(node)
        self._collected.pop(node, None)
        return None if index is None or self._ids is None else self._ids[index]

"""An xdist scheduler that assigns one test at a time (xdist.scheduler.protocol.Scheduling)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from xdist.workermanage import WorkerController

from kola.schedule.need import Need
from kola.schedule.pending import Kind, Pending
from kola.schedule.turns import in_turn

Order = Callable[[Sequence[str], Mapping[str, float]], list[int]]
CRASH_ATTEMPTS = 2


class Grants(Protocol):
    """The authority that decides whether a test may start; see kola.schedule.waiting."""

    @property
    def over(self) -> str: ...

    def request(self, label: str, need: Need, avoid: frozenset[str] = frozenset()) -> str | None: ...

    def release(self, label: str) -> None: ...


class KolaScheduling:
    """The scheduler.

    Each idle worker gets the first pending test whose need is granted; `order` sorts them, and in_turn those
    whose templates do not exist yet.

    A test whose need can never be met is assigned as well: its worker finds the same and reports it. A test
    whose worker crashed runs once more, on the worker that replaces it. `kinds` is called once, when all
    workers have collected; `made` tells if a template exists; `look_again_later` is called while an idle
    worker waits for a grant. When nothing will be granted any more, the pending tests are dropped, and
    `give_up` gets the reason.
    """

    def __init__(
        self,
        config: Any,
        order: Order,
        *,
        kinds: Callable[[], Mapping[str, Kind]] = dict,
        made: Callable[[str], bool] = lambda template: True,
        grants: Grants | None = None,
        look_again_later: Callable[[], None] = lambda: None,
        give_up: Callable[[str], None] = lambda reason: None,
    ) -> None:
        self._numnodes = len(config.getvalue("tx") or []) or int(config.getvalue("numprocesses") or 1)
        self._order = order
        self._read_kinds = kinds
        self._made = made
        self._grants = grants
        self._look_again_later = look_again_later
        self._give_up = give_up
        self._ids: list[str] | None = None
        self._index: dict[str, int] = {}
        self._collected: dict[WorkerController, Sequence[str]] = {}
        self._running: dict[WorkerController, int | None] = {}
        self._kinds: Sequence[Kind] = []
        self._pending = Pending([], [])
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
            self._index = {nodeid: index for index, nodeid in enumerate(self._ids)}

    def schedule(self) -> None:
        if not self._started:
            self._started = True
            ids, kinds = self._ids or [], self._read_kinds()
            weights = {nodeid: kind.need.memory_mib for nodeid, kind in kinds.items()}
            self._kinds = [kinds.get(name, Kind()) for name in ids]
            self._pending = Pending(self._order(ids, weights), self._kinds)
        self.look_again()

    def look_again(self) -> None:
        """Give every idle worker a test that may start now."""
        over = self._grants.over if self._grants is not None and self._pending else ""
        if over:
            self._pending = Pending([], self._kinds)
            self._give_up(over)
        for node in self._running:
            self._feed(node)

    def _feed(self, node: WorkerController) -> None:
        if self._running[node] is not None or not self._pending or node not in self._collected:
            return
        index = self._startable()
        if index is None:
            self._look_again_later()
        else:
            self._running[node] = index
            node.send_runtest_some([index])

    def _startable(self) -> int | None:
        wanted = self._pending.wanted()
        missing = {template: count for template, count in wanted.items() if not self._made(template)}
        making = {template for kind in self._running_kinds() for template in kind.templates} & missing.keys()
        heads = self._pending.heads()
        for index, kind in in_turn(heads, missing=missing, making=making) if missing else heads:
            if self._granted(index, kind):
                self._pending.remove_head(kind)
                return index
        return None

    def _granted(self, index: int, kind: Kind) -> bool:
        if self._grants is None or not kind.need:
            return True
        return self._grants.request(self._name(index), kind.need, frozenset(kind.avoid)) is not None

    def _running_kinds(self) -> list[Kind]:
        return [self._kinds[index] for index in self._running.values() if index is not None]

    def _name(self, index: int) -> str:
        return (self._ids or [])[index]

    def mark_test_complete(self, node: WorkerController, item_index: int, duration: float = 0) -> None:
        self._running[node] = None
        self._release(item_index)
        self.look_again()

    def _release(self, index: int) -> None:
        if self._grants is not None:
            self._grants.release(self._name(index))

    def mark_test_pending(self, item: str) -> None:
        """Put a test back in front. A replacement worker takes it."""
        self._pending.put_first(self._index[item])
        self.look_again()

    def may_retry(self, item: str) -> bool:
        """Return True when a test whose worker crashed gets another attempt."""
        self._crashes[item] = self._crashes.get(item, 0) + 1
        return self._crashes[item] < CRASH_ATTEMPTS

    def remove_pending_tests_from_node(self, node: WorkerController, indices: Sequence[int]) -> None:
        raise RuntimeError("nothing is ever stolen: workers hold no pending tests")

    def remove_node(self, node: WorkerController) -> str | None:
        """Remove a worker and return the test it was running, if any."""
        index = self._running.pop(node)
        self._collected.pop(node, None)
        if index is None or self._ids is None:
            return None
        self._release(index)
        return self._ids[index]

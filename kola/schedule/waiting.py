"""Waiting for resources: a test starts when its need is met; waiting in vain ends."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from harness.util.language import tr
from kola.schedule.need import Need
from kola.schedule.resources import Resources

PATIENCE = 60.0
"""Seconds to wait for memory that no test of ours holds: unknown programs hold it."""

HELD_PATIENCE = 3600.0
"""Seconds to wait while other tests hold the resource, and none of them begins or ends."""

_SILENT = 10.0


@dataclass
class _Wait:
    state: int
    since: float
    told: bool = False


class WaitingList:
    """The tests that wait for resources. `tell` receives a message once for each need."""

    def __init__(
        self,
        resources: Resources,
        *,
        tell: Callable[[str], None] = lambda text: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._resources = resources
        self._tell = tell
        self._clock = clock
        self._waits: dict[tuple[Need, frozenset[str]], _Wait] = {}
        self.reason = ""
        """The reason why the last need was refused."""

    @property
    def over(self) -> str:
        """The reason why nothing will be granted any more."""
        return self._resources.over

    def request(self, label: str, need: Need, avoid: frozenset[str] = frozenset()) -> str | None:
        """Return "" when the need is granted to `label`, None to ask again later, else the reason for giving
        up. Hosts with the keys in `avoid` are not for it.
        """
        never = self._resources.never(need)
        if never:
            return never
        refusal = self._resources.take(label, need, avoid)
        if refusal is None:
            self._waits.pop((need, avoid), None)
            return ""
        self.reason = refusal.reason
        now = self._clock()
        wait = self._waits.setdefault((need, avoid), _Wait(refusal.state, now))
        if wait.state != refusal.state:
            wait.state, wait.since = refusal.state, now
        if not wait.told and now - wait.since > _SILENT:
            wait.told = True
            self._tell(tr("waiting: {reason}", reason=refusal.reason))
        if now - wait.since > (PATIENCE if refusal.idle else HELD_PATIENCE):
            return f"{refusal.reason}, and nothing has changed for {now - wait.since:.0f} s"
        return None

    def release(self, label: str) -> None:
        self._resources.release(label)

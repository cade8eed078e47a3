"""The hosts of a run's machines, and which of them can be used now."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from harness.errors import HarnessError, InfrastructureError
from harness.machine.boot import DiskImage
from harness.machine.incidents import HOST_FULL, HOST_LOST
from harness.platform.base import Platform
from harness.platform.hosts import HostEntry

ELSEWHERE = frozenset({HOST_LOST, HOST_FULL})
"""Causes for which a test goes to another host."""

RETRY_SECONDS = 5.0
"""Seconds between two attempts to reach a lost host."""

_LONGEST_TRY = 10.0
"""Seconds after which an attempt that still goes on counts as failed."""

_WATCH_SECONDS = 1.0


@dataclass(frozen=True)
class Member:
    """One host, and the platform that has machines there."""

    entry: HostEntry
    platform: Platform

    @property
    def name(self) -> str:
        """The host's name; empty for the platform `qemu`, whose only host is this one."""
        return self.entry.name

    @property
    def key(self) -> str:
        """The same for every run that uses this host."""
        return self.entry.uri


@dataclass
class _Loss:
    """The loss of a host, and the attempts to reach it again; the last one `began` then and has `failed`."""

    reason: str
    began: float = 0.0
    failed: bool = False
    thread: threading.Thread | None = None
    back: threading.Event = field(default_factory=threading.Event)


class Fleet:
    """The hosts of one process's machines. A host that is lost is looked for until it is back.

    That is noticed when somebody asks, or at once after `watch`. `tell` gets a sentence when a host is lost,
    and when it is back.
    """

    def __init__(
        self,
        members: Sequence[Member],
        *,
        tell: Callable[[str], None] = lambda text: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.members = tuple(members)
        self._tell = tell
        self._clock = clock
        self._lost: dict[str, _Loss] = {}
        self._guard = threading.RLock()
        self._closed = threading.Event()

    def watch(self) -> None:
        """Look after the hosts in a thread until `close`, also while nobody asks for room on them.

        So a test that starts after the return of a host finds it usable.
        """
        if not any(member.key for member in self.members):
            return  # this host is never lost

        def look() -> None:
            while not self._closed.wait(_WATCH_SECONDS):
                self.usable()

        threading.Thread(target=look, name="hosts", daemon=True).start()

    def close(self) -> None:
        """Look for lost hosts no more."""
        self._closed.set()

    @property
    def first(self) -> Member:
        """The first usable host; the first of all when none is."""
        return next(iter(self.usable()), self.members[0])

    def member(self, key: str) -> Member:
        """Return the host of this key. Raises KeyError."""
        return next(member for member in self.members if member.key == key)

    def usable(self) -> tuple[Member, ...]:
        """Return the hosts that answer, as far as is known. Those that are lost are looked for meanwhile."""
        with self._guard:
            for member in self.members:
                if reason := member.platform.lost:
                    self.lose(member, reason)
                if (loss := self._lost.get(member.key)) is not None:
                    self._look_for(member, loss)
            return tuple(member for member in self.members if member.key not in self._lost)

    def lose(self, member: Member, reason: str) -> None:
        """Use the host no more until it answers again."""
        with self._guard:
            if member.key in self._lost:
                return
            self._lost[member.key] = _Loss(reason)
            self._tell(f"host {member.name} is lost: {reason}" if member.name else reason)

    def prepare(self, image: DiskImage, tell: Callable[[str], None]) -> tuple[Member, ...]:
        """Have the image on all hosts, at once, and return the hosts that have it.

        Hosts that do not take it are told by name. Raises InfrastructureError when none takes it.
        """

        def send(member: Member) -> InfrastructureError | None:
            try:
                member.platform.prepare(image, tell)
            except InfrastructureError as error:
                return error
            return None

        with ThreadPoolExecutor(len(self.members)) as pool:
            answers = list(zip(self.members, pool.map(send, self.members), strict=True))
        refused = [(member, error) for member, error in answers if error is not None]
        if len(refused) == len(answers):
            raise refused[0][1]
        for member, error in refused:
            tell(f"host {member.name}: {error}; the run goes on without it")
        return tuple(member for member, error in answers if error is None)

    @property
    def over(self) -> str:
        """The reason why no machine can be had any more: all hosts are lost, and none is back."""
        with self._guard:
            if self.usable() or not all(self._hopeless(loss) for loss in self._lost.values()):
                return ""
            return no_host(self.members, {key: loss.reason for key, loss in self._lost.items()})

    def _hopeless(self, loss: _Loss) -> bool:
        return loss.failed or (loss.thread is not None and self._clock() - loss.began > _LONGEST_TRY)

    def _look_for(self, member: Member, loss: _Loss) -> None:
        if loss.back.is_set():
            del self._lost[member.key]
            self._tell(f"host {member.name} is back")
            return
        now = self._clock()
        busy = loss.thread is not None and loss.thread.is_alive()
        if busy or (loss.thread is not None and now - loss.began < RETRY_SECONDS):
            return

        def look() -> None:
            try:
                member.platform.reconnect()
            except HarnessError as error:
                loss.reason, loss.failed = str(error), True
            else:
                loss.back.set()

        loss.began = now
        loss.thread = threading.Thread(target=look, name=f"looking for {member.name}", daemon=True)
        loss.thread.start()


def no_host(members: Sequence[Member], reasons: dict[str, str]) -> str:
    """Return the sentence for a pool whose hosts are all lost."""
    if len(members) == 1:
        return f"the machines' host is lost: {reasons[members[0].key]}"
    named = "; ".join(f"{member.name}: {reasons[member.key]}" for member in members)
    return f"no host is left: {named}"


def of_the_host(error: object) -> bool:
    """Return True for an error that says that the host is lost or full: another one may have the machine."""
    return isinstance(error, InfrastructureError) and error.cause in ELSEWHERE

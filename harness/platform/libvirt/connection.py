"""The connection of this process to a libvirt daemon: its event loop, its events, and news of its end."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Callable
from concurrent.futures import TimeoutError as FutureTimeout
from typing import Any, Protocol

from harness.errors import InfrastructureError
from harness.machine.incidents import HOST_LOST
from harness.platform.libvirt.library import limited, load, text_of

OPEN_SECONDS = 30.0
"""Seconds for the first answer: a session daemon may have to be started."""

KEEPALIVE_INTERVAL, KEEPALIVE_COUNT = 2, 3
"""A daemon that stays silent for interval × (count + 1) seconds is lost."""

_LIFECYCLE, _REBOOT, _IO_ERROR = 0, 1, 6
_CLOSE_REASONS = {
    0: "an error",
    1: "the daemon ended, or closed the connection",
    2: "the daemon did not answer for 8 s",
    3: "this process closed it",
}


class DomainEvents(Protocol):
    """The receiver of one domain's events. Called in the event loop's thread: it must not block."""

    def lifecycle(self, event: int, detail: int) -> None: ...

    def rebooted(self) -> None: ...

    def io_error(self, device: str, reason: str) -> None: ...

    def lost(self, reason: str) -> None:
        """Take note that nothing will be heard of the domain any more."""
        ...


class Connection:
    """An open connection. Any thread may use it, and no other process."""

    def __init__(self, handle: Any, uri: str) -> None:
        self.handle = handle
        self.uri = uri
        self._lock = threading.Lock()
        self._domains: dict[str, DomainEvents] = {}
        self._lost = ""
        for event, callback in (
            (_LIFECYCLE, self._on_lifecycle),
            (_REBOOT, self._on_reboot),
            (_IO_ERROR, self._on_io_error),
        ):
            handle.domainEventRegisterAny(None, event, callback, None)
        handle.registerCloseCallback(self._on_close, None)
        handle.setKeepAlive(KEEPALIVE_INTERVAL, KEEPALIVE_COUNT)

    @property
    def lost(self) -> str:
        """The reason why the connection ended; empty while it lives. A signal handler may ask."""
        return self._lost

    def watch(self, uuid: str, events: DomainEvents) -> Callable[[], None]:
        """Pass the events of a domain on. Returns a function that ends this.

        Raises InfrastructureError `host-lost` when the connection has ended.
        """
        with self._lock:
            if self._lost:
                raise InfrastructureError(self._lost, cause=HOST_LOST)
            self._domains[uuid] = events

        def forget() -> None:
            with self._lock:
                if not self._lost:
                    self._domains.pop(uuid, None)

        return forget

    @property
    def left(self) -> tuple[str, ...]:
        """The domains whose end was not seen before the connection was lost; none while it lives."""
        with self._lock:
            return tuple(self._domains) if self._lost else ()

    def close(self) -> None:
        with contextlib.suppress(load().libvirtError):
            self.handle.close()

    def _of(self, domain: Any) -> DomainEvents | None:
        with self._lock:
            return self._domains.get(domain.UUIDString())

    def _on_lifecycle(self, _: Any, domain: Any, event: int, detail: int, __: Any) -> None:
        if (events := self._of(domain)) is not None:
            events.lifecycle(event, detail)

    def _on_reboot(self, _: Any, domain: Any, __: Any) -> None:
        if (events := self._of(domain)) is not None:
            events.rebooted()

    def _on_io_error(
        self, _: Any, domain: Any, path: str, device: str, action: int, reason: str, __: Any
    ) -> None:
        if (events := self._of(domain)) is not None:
            events.io_error(device, reason)

    def _on_close(self, _: Any, reason: int, __: Any) -> None:
        why = _CLOSE_REASONS.get(reason, f"reason {reason}")
        with self._lock:
            self._lost = f"the connection to {self.uri} is lost: {why}"
            words, domains = self._lost, list(self._domains.values())
        for events in domains:
            events.lost(words)


_connections: dict[str, Connection] = {}
_opening: dict[str, threading.Lock] = {}
_guard = threading.Lock()
_loop_of = 0


def connect(uri: str) -> Connection:
    """Return the connection of this process to the daemon, opened now if there is none that lives.

    Raises ConfigError without the library, InfrastructureError `host-lost` when the daemon does not answer.
    """
    library = load()
    with _guard:
        _run_event_loop(library)
        one_at_a_time = _opening.setdefault(uri, threading.Lock())
    # A host that does not answer keeps nobody from the others.
    with one_at_a_time:
        known = _connections.get(uri)
        if known is not None and not known.lost:
            return known
        opened = _connections[uri] = _open(library, uri)
        return opened


def lost(uri: str) -> str:
    """Return the reason why this process's connection has ended; empty when it lives, or there was none."""
    known = _connections.get(uri)
    return "" if known is None else known.lost


def _open(library: Any, uri: str) -> Connection:
    try:
        return limited(lambda: Connection(library.open(uri), uri), OPEN_SECONDS, late=Connection.close)
    except FutureTimeout:
        raise InfrastructureError(
            f"no libvirt daemon answers at {uri} within {OPEN_SECONDS:.0f} s", cause=HOST_LOST
        ) from None
    except library.libvirtError as error:
        raise InfrastructureError(f"no libvirt daemon at {uri}: {text_of(error)}", cause=HOST_LOST) from None


def _run_event_loop(library: Any) -> None:
    """Run libvirt's event loop in a thread of its own, from before the first connection on."""
    global _loop_of
    if _loop_of == os.getpid():
        return
    _loop_of = os.getpid()
    library.registerErrorHandler(lambda context, error: None, None)  # else errors go to standard error
    library.virEventRegisterDefaultImpl()

    def serve() -> None:
        while True:
            with contextlib.suppress(library.libvirtError):
                library.virEventRunDefaultImpl()

    threading.Thread(target=serve, name="libvirt events", daemon=True).start()

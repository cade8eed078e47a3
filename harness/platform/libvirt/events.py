"""libvirt's events (libvirt: include/libvirt/libvirt-domain.h) as incidents of the machine."""

from __future__ import annotations

import threading
from collections.abc import Callable
from enum import IntEnum

from harness.machine.incidents import HOST_LOST, Incidents
from harness.machine.monitor import StreamMonitor

SOURCE = "libvirt"
_NEXT_EVENT_SECONDS = 1.0


class Event(IntEnum):
    """virDomainEventType."""

    SUSPENDED = 3
    RESUMED = 4
    STOPPED = 5
    SHUTDOWN = 6
    CRASHED = 8


class Stopped(IntEnum):
    """virDomainEventStoppedDetailType."""

    SHUTDOWN = 0
    DESTROYED = 1
    CRASHED = 2
    FAILED = 5


SUSPENDED_PAUSED = 0
"""virDomainEventSuspendedDetailType: by a command."""

SHUTDOWN_GUEST = 1
"""virDomainEventShutdownDetailType: the guest switched its machine off."""


class LibvirtEvents:
    """The handler of one domain's events, called in the event loop's thread.

    `last_words` returns QEMU's own account of its end.
    """

    def __init__(
        self, incidents: Incidents, monitor: StreamMonitor, last_words: Callable[[], str] = str
    ) -> None:
        self._incidents = incidents
        self._monitor = monitor
        self._last_words = last_words
        self._may_pause = True
        self._paused_by_others = False
        self.killed = ""
        """The reason for which the machine was stopped by its holder."""
        self.closing = False
        """True as soon as the end of the machine is no news."""
        self.stopped = threading.Event()
        self.on_lost: Callable[[], None] = lambda: None

    def expect_pause(self) -> None:
        """Declare that the machine is paused on purpose, as it is before its start."""
        self._may_pause = True

    def expect_to_run(self) -> None:
        """Declare that nobody has a reason to pause the machine from now on."""
        self._may_pause = False

    def lifecycle(self, event: int, detail: int) -> None:
        match event:
            case Event.STOPPED:
                self._stopped(detail)
            case Event.SHUTDOWN if detail == SHUTDOWN_GUEST:
                self._incidents.power_off(SOURCE)
            case Event.CRASHED:
                self._monitor.fatal("kernel-panic", "the guest's kernel panicked", SOURCE)
            case Event.SUSPENDED if detail == SUSPENDED_PAUSED:
                self._paused()
            case Event.RESUMED:
                self._paused_by_others = False

    def rebooted(self) -> None:
        self._monitor.firmware_starts()
        self._incidents.depart("a reset", SOURCE)

    def io_error(self, device: str, reason: str) -> None:
        if reason == "enospc":
            self._host("host-disk-full", f"no space left for the guest's disk {device}")

    def lost(self, reason: str) -> None:
        self._host(HOST_LOST, reason)
        self.stopped.set()
        self.on_lost()

    def _stopped(self, detail: int) -> None:
        if self.killed:
            self._host("qemu-exited", f"the machine was stopped: {self.killed}")
        elif detail == Stopped.FAILED:
            said = self._last_words()
            tail = f", saying: {said}" if said else ""
            self._host("qemu-exited", f"QEMU ended while its guest was needed{tail}")
        elif detail == Stopped.DESTROYED:
            self._host("machine-killed", "another client of libvirt destroyed the machine")
        elif detail == Stopped.CRASHED:
            self._monitor.fatal("kernel-panic", "the guest's kernel panicked", SOURCE)
        elif detail == Stopped.SHUTDOWN:
            # After the guest's own power-off this is the second incident, which ends nothing any more.
            self._host("qemu-exited", "QEMU ended while its guest was needed")
        else:
            self._host("machine-killed", "another client of libvirt saved the machine, or moved it away")
        self.stopped.set()

    def _paused(self) -> None:
        """Report a pause by somebody else; a panic pauses first, and the next event says so."""
        if not self._may_pause:
            self._paused_by_others = True
            timer = threading.Timer(_NEXT_EVENT_SECONDS, self._judge_pause)
            timer.daemon = True
            timer.start()

    def _judge_pause(self) -> None:
        if self._paused_by_others and not self.stopped.is_set() and self._incidents.fatal is None:
            self._host("machine-paused", "another client of libvirt paused the machine")

    def _host(self, cause: str, message: str) -> None:
        if not self.closing:
            self._monitor.host(cause, message, SOURCE)

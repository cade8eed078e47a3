"""Liveness check of a guest: an SSH keepalive request every few seconds."""

from __future__ import annotations

import threading
from collections.abc import Callable

import paramiko

from harness.errors import MachineFailure

_INTERVAL = 2.0
_REQUEST = "keepalive@openssh.com"  # sshd refuses it, and the refusal is an answer (OpenSSH: PROTOCOL)
UNRESPONSIVE = "guest-unresponsive"


class Heartbeat:
    """A thread that sends keepalive requests on one connection and ends with it.

    `used` returns the CPU seconds the guest has used so far, `clock` the seconds of its clock. A guest that
    was reset answers the next packet with a TCP reset; these requests provoke it.
    """

    def __init__(
        self, transport: paramiko.Transport, used: Callable[[], float], clock: Callable[[], float]
    ) -> None:
        self._transport = transport
        self._used = used
        self._clock = clock
        self._lock = threading.Lock()
        self._answered = (clock(), used())
        self._ended = threading.Event()
        threading.Thread(target=self._beat, name="ssh heartbeat", daemon=True).start()

    def _beat(self) -> None:
        while self._transport.is_active() and not self._ended.wait(_INTERVAL):
            try:
                self._transport.global_request(_REQUEST, wait=True)
            except (paramiko.SSHException, OSError, EOFError):
                return
            if self._transport.is_active():
                self.heard()

    def heard(self) -> None:
        """Record a sign of life of any kind."""
        with self._lock:
            self._answered = (self._clock(), self._used())

    @property
    def silence(self) -> float:
        """Seconds of the guest's clock since the last sign of life."""
        with self._lock:
            return self._clock() - self._answered[0]

    def unresponsive(self, console: str) -> MachineFailure:
        """Return the failure for a guest that was silent for too long; `console` holds its last lines."""
        with self._lock:
            since, had = self._answered
        seconds = self._clock() - since
        used = max(0.0, self._used() - had)
        words = (
            f"the guest does not answer any more: silent for {seconds:.0f} s, using {used:.0f} s of CPU time"
        )
        return MachineFailure(UNRESPONSIVE, words, evidence=console)

    def end(self) -> None:
        self._ended.set()

"""Waiting for sshd: as early as it can be had, and no longer than there is hope."""

from __future__ import annotations

import re
import selectors
import socket
import time
from dataclasses import dataclass

from harness.errors import DeadlineExceeded, MachineFailure
from harness.machine.instance import Instance
from harness.util.deadline import Deadline

_EVERY = 0.5
_KEEP = 4
_AFTER_REFUSAL = 0.1
_BOOTED = re.compile(r"^Startup finished in ")


@dataclass
class _Attempt:
    connected: socket.socket
    since: float


def wait_for_banner(instance: Instance, *, deadline: Deadline, grace: float) -> socket.socket:
    """A connected socket on which sshd's banner waits to be read.

    User-mode networking accepts every connection on the host's side, whatever the guest does; so a few
    attempts are kept in flight: one of them meets sshd as soon as it listens. `grace` seconds after the
    guest says it has booted, hope ends: MachineFailure `no-network` (it never answers) or `ssh-refused`.
    """
    attempts: list[_Attempt] = []
    last_start = 0.0
    answer = "nothing yet"
    booted_at: float | None = None
    position = instance.journal.position
    selector = selectors.DefaultSelector()
    try:
        while True:
            fatal = instance.incidents.fatal
            if fatal is not None:
                raise fatal.error(instance.console.text(15))
            if deadline.expired:
                last = instance.console.text(1)
                raise DeadlineExceeded(
                    "waiting for sshd", seconds=deadline.elapsed, last_seen=f"{answer}; console: {last}"
                )
            now = time.monotonic()
            if booted_at is None and _says_booted(instance, position):
                booted_at = now
            if booted_at is not None and now - booted_at > grace:
                raise _hopeless(instance, answer, grace)
            if now - last_start >= (_AFTER_REFUSAL if answer == "refused" else _EVERY):
                last_start = now
                if len(attempts) >= _KEEP:
                    _drop(selector, attempts.pop(0))
                _begin(instance, selector, attempts)
            for key, _ in selector.select(timeout=0.05):
                attempt: _Attempt = key.data
                attempts.remove(attempt)
                selector.unregister(attempt.connected)
                if _has_banner(attempt.connected):
                    return attempt.connected
                attempt.connected.close()
                answer = "refused"
    finally:
        for attempt in attempts:
            _drop(selector, attempt)
        selector.close()


def _says_booted(instance: Instance, position: int) -> bool:
    return any(_BOOTED.search(entry.message) for entry in instance.journal.entries(since=position)[-400:])


def _hopeless(instance: Instance, answer: str, grace: float) -> MachineFailure:
    tail = instance.console.text(10)
    if answer == "refused":
        return MachineFailure(
            "ssh-refused",
            f"the guest has booted but refuses connections to port 22 ({grace:.0f} s)",
            evidence=tail,
        )
    return MachineFailure(
        "no-network",
        f"the guest has booted but does not answer on the network ({grace:.0f} s): "
        "no DHCP lease, or port 22 is filtered",
        evidence=tail,
    )


def _begin(instance: Instance, selector: selectors.BaseSelector, attempts: list[_Attempt]) -> None:
    try:
        connected = socket.create_connection(instance.ssh_endpoint, timeout=2)
    except OSError:
        return  # QEMU is ending; its watcher will say so
    connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    attempt = _Attempt(connected, time.monotonic())
    attempts.append(attempt)
    selector.register(connected, selectors.EVENT_READ, attempt)


def _has_banner(connected: socket.socket) -> bool:
    try:
        return bool(connected.recv(4, socket.MSG_PEEK))
    except OSError:
        return False


def _drop(selector: selectors.BaseSelector, attempt: _Attempt) -> None:
    selector.unregister(attempt.connected)
    attempt.connected.close()

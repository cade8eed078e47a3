"""Waiting for sshd: as early as it can be had, and no longer than there is hope."""

from __future__ import annotations

import re
import select
import socket
import time
from collections.abc import Iterable
from dataclasses import dataclass

from harness.errors import DeadlineExceeded, MachineFailure
from harness.machine.instance import Instance
from harness.machine.journal import JournalEntry
from harness.util.deadline import Deadline

_PATIENCE = 3.0
_AFTER_REFUSAL = 0.25
_GLANCE = 0.1
_BLIND_AFTER = 60.0
_BOOTED = re.compile(r"^Startup finished in .*(?:userspace)")
_LEASE = re.compile(r"new lease, address=|^DHCPv4 address |^\S+: DHCPv4 address ")
_LEASE_PATIENCE = 10.0
_LISTENING = re.compile(r"^Server listening on \S+ port 22\.")
_ON_CONSOLE = re.compile(rb"Started [^\n]*(?:ssh|SSH|Secure Shell)[^\n]*\n|login: ")


@dataclass(frozen=True)
class Since:
    """Positions in console and journal; what came before belongs to an earlier boot."""

    console: int = 0
    journal: int = 0

    @classmethod
    def now(cls, instance: Instance) -> Since:
        return cls(instance.console.total, instance.journal.position)


def wait_for_sshd(instance: Instance, since: Since, *, deadline: Deadline) -> None:
    """Until console or journal say that sshd has started and, if they say so at all, that DHCP is done.

    Connecting earlier would do harm: user-mode networking accepts any connection and repeats its SYN for
    minutes, so that sshd would meet all those given up meanwhile. A guest that says nothing for a
    while is tried all the same.
    """
    blind = deadline.sub(_BLIND_AFTER)
    read = since.journal
    listening = leased = False
    while not blind.expired:
        _raise_fatal(instance)
        entries = instance.journal.entries(since=read)
        read += len(entries)
        leased = leased or any(_LEASE.search(entry.message) for entry in entries)
        if not listening and _says_started(entries, instance.console.since(since.console)):
            listening = True
            # Only a guest whose journal reaches us can tell of its lease.
            blind = deadline.sub(_LEASE_PATIENCE if read > since.journal else 0)
        if listening and leased:
            return
        grown = instance.console.wait_growth(instance.console.total, _GLANCE)
        if not listening and (entries or grown):
            blind = deadline.sub(_BLIND_AFTER)
    if deadline.expired:
        last = instance.console.text(1)
        raise DeadlineExceeded("waiting for sshd to start", seconds=deadline.elapsed, last_seen=last)


def sshd_started(instance: Instance, since: Since) -> bool:
    """Whether console or journal say that sshd has."""
    entries = instance.journal.entries(since=since.journal)
    return _says_started(entries, instance.console.since(since.console))


def wait_for_banner(instance: Instance, since: Since, *, deadline: Deadline, grace: float) -> socket.socket:
    """A connected socket on which sshd's banner waits to be read.

    `grace` seconds after the guest says it has booted, hope ends: MachineFailure `no-network` (it never
    answers) or `ssh-refused`.
    """
    answer = "silence"
    booted_at: float | None = None
    attempt: socket.socket | None = None
    started = 0.0
    try:
        while True:
            _raise_fatal(instance)
            now = time.monotonic()
            if deadline.expired:
                last = f"{answer}; console: {instance.console.text(1)}"
                raise DeadlineExceeded("waiting for sshd to answer", seconds=deadline.elapsed, last_seen=last)
            if booted_at is None and _says_booted(instance, since):
                booted_at = now
            if booted_at is not None and now - booted_at > grace:
                raise _hopeless(instance, answer, grace)
            if attempt is not None and now - started > _PATIENCE and not instance.ssh_taken():
                attempt.close()
                attempt = None
            if attempt is None:
                attempt, started = _connect(instance), now
            if attempt is None or not select.select([attempt], [], [], _GLANCE)[0]:
                instance.incidents.wake.wait(0 if attempt else _GLANCE)
                continue
            if _has_banner(attempt):
                found, attempt = attempt, None
                return found
            attempt.close()
            attempt = None
            answer = "refused"
            instance.incidents.wake.wait(_AFTER_REFUSAL)
    finally:
        if attempt is not None:
            attempt.close()


def _raise_fatal(instance: Instance) -> None:
    fatal = instance.incidents.fatal
    if fatal is not None:
        raise fatal.error(instance.console.text(15))


def _says_started(entries: Iterable[JournalEntry], console: bytes) -> bool:
    heard = any(_LISTENING.search(entry.message) for entry in entries)
    return heard or _ON_CONSOLE.search(console) is not None


def _says_booted(instance: Instance, since: Since) -> bool:
    return any(
        _BOOTED.search(entry.message) for entry in instance.journal.entries(since=since.journal)[-400:]
    )


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


def _connect(instance: Instance) -> socket.socket | None:
    """None when QEMU is ending; its watcher will say so."""
    try:
        connected = socket.create_connection(instance.ssh_endpoint, timeout=2)
    except OSError:
        return None
    connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connected


def _has_banner(connected: socket.socket) -> bool:
    try:
        return bool(connected.recv(4, socket.MSG_PEEK))
    except OSError:
        return False

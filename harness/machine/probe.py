"""Waiting for sshd: connects as early as possible, and gives up when there is no hope."""

from __future__ import annotations

import re
import select
import socket
import time
from collections.abc import Iterable
from dataclasses import dataclass

from harness.errors import DeadlineExceeded, InfrastructureError, MachineFailure
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
    """Positions in console and journal. Output before them belongs to an earlier boot."""

    console: int = 0
    journal: int = 0

    @classmethod
    def now(cls, instance: Instance) -> Since:
        return cls(instance.console.total, instance.journal.position)


def wait_for_sshd(instance: Instance, since: Since, *, deadline: Deadline) -> None:
    """Wait until console or journal say that sshd has started and, if they mention DHCP at all, that it is
    done.

    Earlier connections would do harm: user-mode networking accepts any connection and repeats its SYN for
    minutes, so that sshd would meet all those given up meanwhile. A guest that stays silent for a while is
    tried anyway.
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
            # Only a guest whose journal reaches us can report its lease.
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
    """Return True when console or journal say that sshd has started."""
    entries = instance.journal.entries(since=since.journal)
    return _says_started(entries, instance.console.since(since.console))


def wait_for_banner(
    instance: Instance, since: Since, *, deadline: Deadline, grace: float, silence: float
) -> socket.socket:
    """Return a connected socket on which sshd's banner waits to be read.

    Gives up `grace` seconds, of the guest's clock, after the guest says it has booted, and `silence` seconds
    after its last word on console or journal when it has not. Raises MachineFailure `no-network` (nothing
    answers), `ssh-refused` (the port is closed), `ssh-mute` (connected, but no banner is sent) or
    `boot-silent`; InfrastructureError `jump-host` when the guest's host does not let ssh in. A guest that
    never used its console and journal is waited for until the deadline.
    """
    answer = "silence"
    said, said_at = Since.now(instance), instance.clock()
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
                booted_at = instance.clock()
            if booted_at is not None and instance.clock() - booted_at > grace:
                if answer == "silence" and attempt is not None and instance.ssh_accepted():
                    answer = "mute"
                _require_jump_host(instance)
                raise _hopeless(instance, answer, grace)
            if booted_at is None:
                latest = Since.now(instance)
                if latest != said:
                    said, said_at = latest, instance.clock()
                elif said != Since() and instance.clock() - said_at > silence:
                    raise _silent(instance, silence)
            if attempt is not None and now - started > _PATIENCE and not instance.ssh_accepted():
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
    instance.incidents.check(lambda: instance.console.text(15))


def _says_started(entries: Iterable[JournalEntry], console: bytes) -> bool:
    heard = any(_LISTENING.search(entry.message) for entry in entries)
    return heard or _ON_CONSOLE.search(console) is not None


def _says_booted(instance: Instance, since: Since) -> bool:
    return any(
        _BOOTED.search(entry.message) for entry in instance.journal.entries(since=since.journal)[-400:]
    )


def _require_jump_host(instance: Instance) -> None:
    """Raise InfrastructureError when the way to the guest is closed before it reaches the guest."""
    route = instance.ssh_route
    if fault := route.jump_fault():
        raise InfrastructureError(
            f"{route.jump_host}, through which guests are reached, does not let ssh in: {fault}",
            cause="jump-host",
        )


def _hopeless(instance: Instance, answer: str, grace: float) -> MachineFailure:
    tail = instance.console.text(10)
    if answer == "refused":
        return MachineFailure(
            "ssh-refused",
            f"the guest has booted but refuses connections to port 22 ({grace:.0f} s)",
            evidence=tail,
        )
    if answer == "mute":
        return MachineFailure(
            "ssh-mute",
            f"the guest takes connections to port 22, but its sshd sends no banner ({grace:.0f} s)",
            evidence=tail,
        )
    return MachineFailure(
        "no-network",
        f"the guest has booted but does not answer on the network ({grace:.0f} s): "
        "no DHCP lease, or port 22 is filtered",
        evidence=tail,
    )


def _silent(instance: Instance, silence: float) -> MachineFailure:
    return MachineFailure(
        "boot-silent",
        f"the guest has not booted, and said nothing on console and journal for {silence:.0f} s",
        evidence=instance.console.text(10),
    )


def _connect(instance: Instance) -> socket.socket | None:
    """Connect, or return None when nobody accepts: the machine may be ending, which its monitor reports."""
    try:
        return instance.ssh_route.connect()
    except OSError:
        return None


def _has_banner(connected: socket.socket) -> bool:
    try:
        return bool(connected.recv(4, socket.MSG_PEEK))
    except OSError:
        return False

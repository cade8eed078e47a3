"""Patience with a guest's sshd is counted by the guest's clock, which a busy host holds up."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from harness.errors import DeadlineExceeded, InfrastructureError, MachineFailure
from harness.machine.incidents import Incidents
from harness.machine.probe import Since, wait_for_banner
from harness.machine.streams import Tail
from harness.util.deadline import Deadline

STARTED = SimpleNamespace(message="Linux version 6.6.0")
BOOTED = SimpleNamespace(message="Startup finished in 1.0s (kernel) + 2.0s (userspace) = 3.0s.")


class Mute:
    """A guest whose sshd accepts a connection without a word, at first."""

    def __init__(self, clock: Any, ours: socket.socket, *, journal: tuple[Any, ...] = (BOOTED,)) -> None:
        self.clock = clock
        self.incidents = Incidents()
        self.console = Tail()
        self.journal = SimpleNamespace(entries=lambda since: list(journal), position=len(journal))
        self.ssh_route = SimpleNamespace(connect=lambda: ours, jump_fault=lambda: "", jump_host=None)

    def ssh_accepted(self) -> bool:
        return True


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield ours, theirs


def test_a_guest_that_its_host_does_not_run_is_waited_for(pair: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = pair
    began = time.monotonic()

    def stands_still() -> float:
        if time.monotonic() - began > 1.0:
            theirs.send(b"SSH-2.0-x\r\n")
        return began

    guest: Any = Mute(stands_still, ours)
    assert wait_for_banner(guest, Since(), deadline=Deadline(30), grace=0.2, silence=60) is ours


def test_a_guest_that_runs_and_says_nothing_is_given_up(pair: tuple[socket.socket, socket.socket]) -> None:
    guest: Any = Mute(time.monotonic, pair[0])
    with pytest.raises(MachineFailure, match="sends no banner") as caught:
        wait_for_banner(guest, Since(), deadline=Deadline(30), grace=0.2, silence=60)
    assert caught.value.cause == "ssh-mute"


def test_a_closed_way_to_the_guest_is_not_the_guests_fault(
    pair: tuple[socket.socket, socket.socket],
) -> None:
    guest: Any = Mute(time.monotonic, pair[0])
    guest.ssh_route.jump_host, guest.ssh_route.jump_fault = "rack-1", lambda: "Connection refused"
    with pytest.raises(
        InfrastructureError, match=r"rack-1, .* does not let ssh in: Connection refused"
    ) as caught:
        wait_for_banner(guest, Since(), deadline=Deadline(30), grace=0.2, silence=60)
    assert caught.value.cause == "jump-host"


def test_a_guest_that_stops_in_its_boot_is_given_up(pair: tuple[socket.socket, socket.socket]) -> None:
    guest: Any = Mute(time.monotonic, pair[0], journal=(STARTED,))
    with pytest.raises(MachineFailure, match="said nothing on console and journal") as caught:
        wait_for_banner(guest, Since(), deadline=Deadline(30), grace=0.2, silence=0.3)
    assert caught.value.cause == "boot-silent"


def test_a_guest_that_never_says_anything_is_waited_for(pair: tuple[socket.socket, socket.socket]) -> None:
    guest: Any = Mute(time.monotonic, pair[0], journal=())
    with pytest.raises(DeadlineExceeded):
        wait_for_banner(guest, Since(), deadline=Deadline(1), grace=0.2, silence=0.3)

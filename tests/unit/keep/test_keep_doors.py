"""The orders that a kept machine takes."""

from __future__ import annotations

import socket
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from harness.machine.machine import Machine
from harness.machine.probe import Since
from kola.keep.doors import Doors
from kola.keep.protocol import Order, Request, ask


class Guest:
    """A machine whose sshd answers at once, and a list of what it was asked to look at."""

    def __init__(self, boot_id: str) -> None:
        self.boot_id = boot_id
        self.instance = SimpleNamespace(
            console=SimpleNamespace(total=5000), journal=SimpleNamespace(position=70)
        )
        self.sessions = SimpleNamespace(socket_to_sshd=self._connect)
        self.since: list[Since | None] = []

    def _connect(self, _deadline: object, *, since: Since | None) -> socket.socket:
        self.since.append(since)
        return socket.socket()


@pytest.mark.parametrize(
    ("boot_id", "since"),
    [
        pytest.param("", [None, Since(5000, 70)], id="a-cold-boot-then-a-reboot"),
        pytest.param("1f2e", [Since(5000, 70), Since(5000, 70)], id="a-clone-was-up-from-the-start"),
    ],
)
def test_a_reboot_is_not_judged_by_the_boot_before_it(
    tmp_path: Path, boot_id: str, since: list[Since | None]
) -> None:
    guest: Any = Guest(boot_id)
    doors = Doors(
        cast(Machine, guest), tmp_path / "control", tmp_path / "console", stop=lambda: pytest.fail("stopped")
    )
    try:
        for _ in since:
            ask(tmp_path / "control", Request(order=Order.AWAIT_SSH, seconds=5))
    finally:
        doors.close()
    assert guest.since == since

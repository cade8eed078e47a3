"""Boots that Ignition stops in the initramfs, and its error messages."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from harness.errors import MachineFailure
from harness.machine.machine import Machine

NewMachine = Callable[..., Machine]


def reason(new_machine: NewMachine, config: bytes | dict[str, Any]) -> str:
    """Return the reason why a machine with this config stopped in the initramfs."""
    machine = new_machine(ignition=config, wait=False)
    machine.unchecked = True
    with pytest.raises(MachineFailure) as caught:
        machine.wait_reachable()
    assert caught.value.cause == "initramfs-failure", str(caught.value)
    dumped = (machine.directory / "ignition-virtio-dump.txt").exists()
    assert dumped, "the initramfs did not send its journal"
    return str(caught.value)

"""Boots that Ignition stops in the initramfs, and what it says of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from harness.errors import MachineFailure
from harness.machine.machine import Machine

NewMachine = Callable[..., Machine]


def reason(new_machine: NewMachine, config: bytes | dict[str, Any]) -> str:
    """Why a machine of this config went no further than the initramfs."""
    machine = new_machine(ignition=config, wait=False)
    machine.unchecked = True
    with pytest.raises(MachineFailure) as caught:
        machine.wait_reachable()
    assert caught.value.name == "initramfs-failure", str(caught.value)
    assert (machine.directory / "ignition-virtio-dump.txt").exists()
    return str(caught.value)

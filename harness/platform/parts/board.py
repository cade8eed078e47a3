"""The boards of machines."""

from __future__ import annotations

from harness.machine.spec import Firmware, MachineSpec


def is_pc(spec: MachineSpec) -> bool:
    """Return True for the machine type `pc`, whose devices are on PCI; others have PCI Express."""
    return spec.arch == "x86_64" and spec.firmware is Firmware.BIOS

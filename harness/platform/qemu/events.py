"""QEMU's events (qemu: docs/interop/qemu-qmp-ref) as incidents of the machine."""

from __future__ import annotations

from typing import Any

from harness.machine.incidents import Incidents
from harness.machine.monitor import StreamMonitor


class QemuEvents:
    """A handler of QEMU's events. QMP calls it in the stream's thread."""

    def __init__(self, incidents: Incidents, monitor: StreamMonitor) -> None:
        self._incidents = incidents
        self._monitor = monitor

    def __call__(self, event: str, data: dict[str, Any]) -> None:
        if event == "GUEST_PANICKED":
            self._monitor.fatal("kernel-panic", "the guest's kernel panicked", "QEMU")
        elif event == "SHUTDOWN" and data.get("guest"):
            self._incidents.power_off("QEMU")
        elif event == "RESET":
            self._monitor.firmware_starts()
            self._incidents.depart("a reset", "QEMU")
        elif event == "BLOCK_IO_ERROR" and data.get("nospace"):
            message = f"no space left for the guest's disk {data.get('node-name')}"
            self._monitor.host("host-disk-full", message)

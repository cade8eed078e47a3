"""QEMU's monitor, reached through libvirt."""

from __future__ import annotations

import json
from typing import Any

from harness.errors import InfrastructureError
from harness.platform.libvirt.library import translated
from harness.util.deadline import Deadline

_HUMAN = 1  # libvirt_qemu's VIR_DOMAIN_QEMU_MONITOR_COMMAND_HMP


class MonitorRefusal(InfrastructureError):
    """Raised when QEMU refuses a command. `description` is QEMU's."""

    def __init__(self, command: str, description: str) -> None:
        self.description = description
        super().__init__(f"QEMU refused {command}: {description}", cause="qmp-error")


class DomainMonitor:
    """Implements harness.platform.parts.frozen.Monitor.

    libvirt waits for the answers itself, and ends when the connection is lost.
    """

    def __init__(self, domain: Any) -> None:
        self._domain = domain
        self._descriptor: int | None = None

    def execute(self, command: str, *, deadline: Deadline, **arguments: Any) -> Any:
        """Execute a command and return its `return` value. Raises MonitorRefusal when QEMU refuses.

        Underscores in argument names become dashes, as QMP spells them.
        """
        import libvirt_qemu

        deadline.check(f"waiting for QEMU to answer {command}")
        with translated(f"asking QEMU for {command}"):
            if command == "stop":  # libvirt keeps account of pauses
                return self._domain.suspend()
            message: dict[str, Any] = {"execute": command}
            if arguments:
                message["arguments"] = {key.replace("_", "-"): value for key, value in arguments.items()}
            text = json.dumps(message)
            if self._descriptor is None:
                reply = libvirt_qemu.qemuMonitorCommand(self._domain, text, 0)
            else:
                descriptor, self._descriptor = self._descriptor, None
                reply = libvirt_qemu.qemuMonitorCommandWithFiles(self._domain, text, [descriptor], 0)
        if isinstance(reply, tuple):  # the answer, and the files that QEMU sent
            reply = reply[0]
        answer = json.loads(reply)
        if "error" in answer:
            raise MonitorRefusal(command, answer["error"].get("desc", ""))
        return answer["return"]

    def send_descriptor(self, name: str, descriptor: int, *, deadline: Deadline) -> None:
        """Pass QEMU an open file under a name (getfd)."""
        self._descriptor = descriptor
        self.execute("getfd", deadline=deadline, fdname=name)

    def human(self, line: str) -> str:
        """Execute a command of the human monitor, for functions that QMP lacks."""
        import libvirt_qemu

        with translated(f"asking QEMU for {line}"):
            return str(libvirt_qemu.qemuMonitorCommand(self._domain, line, _HUMAN)).replace("\r", "")

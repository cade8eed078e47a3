"""QEMU's monitor, reached through libvirt."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from harness.platform.libvirt.library import ask
from harness.platform.parts.monitor import MonitorRefusal
from harness.util.deadline import Deadline

_HUMAN = 1  # libvirt_qemu's VIR_DOMAIN_QEMU_MONITOR_COMMAND_HMP


class DomainMonitor:
    """Implements harness.platform.parts.monitor.Monitor."""

    def __init__(self, domain: Any) -> None:
        self._domain = domain

    def execute(self, command: str, *, deadline: Deadline, **arguments: Any) -> Any:
        """Execute a command and return its `return` value. Raises MonitorRefusal when QEMU refuses.

        Underscores in argument names become dashes, as QMP spells them.
        """
        import libvirt_qemu

        if command == "stop":  # libvirt keeps account of pauses
            return ask("stopping the guest", self._domain.suspend, deadline=deadline)
        text = _message(command, arguments)
        return self._answer(command, lambda: libvirt_qemu.qemuMonitorCommand(self._domain, text, 0), deadline)

    def send_descriptor(self, name: str, descriptor: int, *, deadline: Deadline) -> None:
        """Pass QEMU an open file under a name (getfd)."""
        import libvirt_qemu

        text = _message("getfd", {"fdname": name})
        self._answer(
            "getfd",
            lambda: libvirt_qemu.qemuMonitorCommandWithFiles(self._domain, text, [descriptor], 0),
            deadline,
        )

    def human(self, line: str, *, deadline: Deadline) -> str:
        """Execute a command of the human monitor, for functions that QMP lacks."""
        import libvirt_qemu

        answer = ask(
            f"asking QEMU for {line}",
            lambda: libvirt_qemu.qemuMonitorCommand(self._domain, line, _HUMAN),
            deadline=deadline,
        )
        return str(answer).replace("\r", "")

    def _answer(self, command: str, call: Callable[[], Any], deadline: Deadline) -> Any:
        reply = ask(f"asking QEMU for {command}", call, deadline=deadline)
        if isinstance(reply, tuple):  # the answer, and the files that QEMU sent
            reply = reply[0]
        answer = json.loads(reply)
        if "error" in answer:
            raise MonitorRefusal(command, answer["error"].get("desc", ""))
        return answer["return"]


def _message(command: str, arguments: dict[str, Any]) -> str:
    message: dict[str, Any] = {"execute": command}
    if arguments:
        message["arguments"] = {key.replace("_", "-"): value for key, value in arguments.items()}
    return json.dumps(message)

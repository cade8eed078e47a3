"""QEMU's monitor, however it is reached."""

from __future__ import annotations

from typing import Any, Protocol

from harness.errors import InfrastructureError
from harness.util.deadline import Deadline


class MonitorRefusal(InfrastructureError):
    """Raised when QEMU refuses a command. `description` is QEMU's."""

    def __init__(self, command: str, description: str) -> None:
        self.description = description
        super().__init__(f"QEMU refused {command}: {description}", cause="qmp-error")


class Monitor(Protocol):
    """Control of a running QEMU by QMP commands (qemu: docs/interop/qmp-spec.txt)."""

    def execute(self, command: str, *, deadline: Deadline, **arguments: Any) -> Any:
        """Execute a command and return its `return` value. Raises MonitorRefusal when QEMU refuses.

        Underscores in argument names become dashes, as QMP spells them.
        """
        ...

    def send_descriptor(self, name: str, descriptor: int, *, deadline: Deadline) -> None:
        """Pass QEMU an open file under a name (getfd)."""
        ...

    def human(self, line: str, *, deadline: Deadline) -> str:
        """Execute a command of the human monitor, for functions that QMP lacks."""
        ...

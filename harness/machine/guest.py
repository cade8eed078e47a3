"""Small views of things inside a guest: units, files."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.errors import MachineFailure

if TYPE_CHECKING:
    from harness.machine.machine import Machine


@dataclass(frozen=True)
class Unit:
    """A systemd unit of a machine; every property is asked anew."""

    machine: Machine
    name: str

    def show(self, prop: str) -> str:
        return (
            self.machine.run(["systemctl", "show", "-p", prop, "--value", self.name]).check().stdout.strip()
        )

    @property
    def active_state(self) -> str:
        return self.show("ActiveState")

    @property
    def enabled_state(self) -> str:
        """As `systemctl is-enabled` words it: enabled, disabled, static, masked, not-found …"""
        return self.machine.run(["systemctl", "is-enabled", self.name]).stdout.strip() or "not-found"

    def start(self) -> None:
        self.machine.run(["systemctl", "start", self.name], sudo=True).check()

    def stop(self) -> None:
        self.machine.run(["systemctl", "stop", self.name], sudo=True).check()

    def restart(self) -> None:
        self.machine.run(["systemctl", "restart", self.name], sudo=True).check()

    def status(self) -> str:
        return self.machine.run(
            ["systemctl", "status", "--no-pager", "--lines=40", self.name], sudo=True
        ).stdout

    def wait_active(self, seconds: float = 60) -> None:
        """Until active; fails at once when it is `failed`, as it will not come any more."""

        def state() -> str | None:
            now = self.active_state
            if now == "failed":
                raise MachineFailure("failed-unit", f"unit {self.name} has failed", evidence=self.status())
            return now if now == "active" else None

        self.machine.deadline(seconds).poll(
            state,
            step=f"waiting for {self.name} to be active",
            interval=0.5,
            last_seen=lambda: self.active_state,
        )


@dataclass(frozen=True)
class File:
    """A path in a guest; every property is asked anew, as root."""

    machine: Machine
    path: str

    def _stat(self, form: str) -> str:
        return self.machine.run(["stat", "-c", form, self.path], sudo=True).check().stdout.strip()

    @property
    def exists(self) -> bool:
        return self.machine.run(["test", "-e", self.path], sudo=True).ok

    @property
    def mode(self) -> int:
        return int(self._stat("%a"), 8)

    @property
    def owner(self) -> str:
        """`user:group`"""
        return self._stat("%U:%G")

    @property
    def text(self) -> str:
        return self.machine.run(["cat", self.path], sudo=True).check().stdout

    def write(self, text: str) -> None:
        """Replace the content, keeping owner and mode of an existing file."""
        line = f"cat > {shlex.quote(self.path)}"
        self.machine.run(line, sudo=True, input=text).check()

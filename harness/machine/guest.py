"""Units and files of a guest, as test authors handle them."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.errors import MachineFailure

if TYPE_CHECKING:
    from harness.machine.machine import Machine


@dataclass(frozen=True)
class Unit:
    """A systemd unit of a guest. Each property queries the guest again."""

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
        """The answer of `systemctl is-enabled`: enabled, disabled, static, masked, not-found and so on."""
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

    def wait_active(self, timeout: float = 60) -> None:
        """Wait until the unit is active.

        Fails at once when it is `failed`, since it will not become active later.
        """

        def state() -> str | None:
            now = self.active_state
            if now == "failed":
                raise MachineFailure("failed-unit", f"unit {self.name} has failed", evidence=self.status())
            return now if now == "active" else None

        self.machine.deadline(timeout).poll(
            state,
            step=f"waiting for {self.name} to be active",
            interval=0.5,
            last_seen=lambda: self.active_state,
        )


@dataclass(frozen=True)
class File:
    """A path in a guest. Each property queries the guest again, as root."""

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
        """Owner and group as `user:group`."""
        return self._stat("%U:%G")

    @property
    def text(self) -> str:
        return self.machine.run(["cat", self.path], sudo=True).check().stdout

    def write(self, text: str) -> None:
        """Replace the content, keeping owner and mode of an existing file."""
        line = f"cat > {shlex.quote(self.path)}"
        self.machine.run(line, sudo=True, input=text).check()

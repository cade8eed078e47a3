"""The protocol between a Machine and its platform: the hypervisor's side of one running guest."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from harness.machine.incidents import Incidents
from harness.machine.journal import Journal
from harness.machine.lines import LineLog
from harness.machine.route import SshRoute
from harness.machine.spec import MachineSpec
from harness.machine.streams import Tail
from harness.util.deadline import Deadline


class Instance(Protocol):
    """A guest as its hypervisor sees it. `close` releases everything it owns."""

    @property
    def spec(self) -> MachineSpec: ...

    @property
    def directory(self) -> Path:
        """Directory of this guest's console, journal and config."""
        ...

    @property
    def console(self) -> Tail: ...

    @property
    def journal(self) -> Journal: ...

    @property
    def incidents(self) -> Incidents: ...

    def lines(self, channel: str) -> LineLog:
        """Return the log of a channel of lines. Raises ConfigError for a name that the spec does not have."""
        ...

    @property
    def running(self) -> bool: ...

    @property
    def cpu_seconds(self) -> float:
        """CPU seconds that this guest has used so far, as its host counts them."""
        ...

    def clock(self) -> float:
        """Return seconds like `time.monotonic`, that stand still while the guest waits for a CPU of its host.

        A guest is given up by this clock, so that it is not blamed for a host that is too busy to run it.
        """
        ...

    @property
    def ssh_route(self) -> SshRoute:
        """The route to the guest's port 22."""
        ...

    def ssh_accepted(self) -> bool:
        """Return True when the guest itself has accepted a connection by `ssh_route` that is still open.

        A route may lead through something that accepts connections for a guest that does not listen yet.
        """
        ...

    def type_console(self, data: bytes) -> None:
        """Send keystrokes to the serial console."""
        ...

    def reset(self) -> None:
        """Reset the machine without notice to the guest."""
        ...

    def kill(self, reason: str) -> None:
        """End the guest at once, as a power cut would. `reason` goes into the message for waiting code."""
        ...

    def screenshot(self, path: Path) -> None:
        """Write the content of the graphical display as PNG."""
        ...

    def unplug_disk_path(self, disk: int = 0, path: int = 0) -> None:
        """Remove one path to a multipath disk; disk 0 is the primary one."""
        ...

    def boot_first(self, device: str) -> None:
        """From the next reset on, have the firmware try `device` of the spec's boot order before all others.

        Raises ConfigError when the machine has no such device.
        """
        ...

    def wait_exit(self, deadline: Deadline) -> None:
        """Wait until the hypervisor process is gone. Raises DeadlineExceeded."""
        ...

    def close(self) -> None: ...

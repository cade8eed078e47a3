"""What a platform hands to a Machine: the hypervisor's side of one running guest."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Protocol

from harness.machine.incidents import Incidents
from harness.machine.journal import Journal
from harness.machine.spec import MachineSpec
from harness.machine.streams import Tail
from harness.util.deadline import Deadline


class Instance(Protocol):
    """One guest as its hypervisor sees it. Everything it owns goes with `close`."""

    @property
    def spec(self) -> MachineSpec: ...

    @property
    def directory(self) -> Path:
        """Where console, journal and config of this guest are kept."""
        ...

    @property
    def console(self) -> Tail: ...

    @property
    def journal(self) -> Journal: ...

    @property
    def incidents(self) -> Incidents: ...

    @property
    def running(self) -> bool: ...

    @property
    def ssh_endpoint(self) -> tuple[str, int]:
        """Host and port where the guest's port 22 is reached."""
        ...

    def ssh_taken(self) -> bool:
        """Whether the guest's TCP has taken a connection made to `ssh_endpoint` that is still open."""
        ...

    def type_console(self, data: bytes) -> None:
        """Send keystrokes to the serial console."""
        ...

    def reset(self) -> None:
        """Pull the reset line: a reboot the guest does not see coming."""
        ...

    def kill(self, reason: str) -> None:
        """End the guest at once, as a power cut would; `reason` is what waiters are told."""
        ...

    def screenshot(self, path: Path) -> None:
        """Write what the graphical display shows as PNG."""
        ...

    def unplug_disk_path(self, disk: int = 0, path: int = 0) -> None:
        """Take away one path to a multipath disk; disk 0 is the primary one."""
        ...

    def plug_nic(self, peer: socket.socket, mac: str) -> None:
        """Add a NIC that sends and receives frames through `peer`, a datagram socket."""
        ...

    def wait_exit(self, deadline: Deadline) -> None:
        """Until the hypervisor process is gone. Raises DeadlineExceeded."""
        ...

    def close(self) -> None: ...

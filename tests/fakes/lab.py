"""Machines on the stand-in, as tests want them: started in one line, closed in any case."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from fakes.steering import FakeQemu
from harness.ignition import IgnitionConfig, additions
from harness.machine.boot import DiskImage
from harness.machine.machine import Machine
from harness.machine.sessions import Access
from harness.machine.spec import MachineSpec
from harness.machine.ssh import SshKey
from harness.platform.parts.accel import Accelerator
from harness.platform.parts.given import GivenConfig
from harness.platform.parts.storage import FreshOverlay
from harness.platform.qemu.instance import QemuInstance
from harness.util.deadline import Deadline

TCG = Accelerator("tcg", "max", 1.0)
SCALE = 0.2
"""Factor of deadlines: the stand-in needs a fifth of the seconds of a real guest."""


SLOWEST_HOST = 4.0


class Lab:
    def __init__(self, fake: FakeQemu, directory: Path) -> None:
        self.fake = fake
        self.directory = directory
        self.access = Access("nest", SshKey.generate("test"), SshKey.generate("test-host"))
        self._owned = ExitStack()
        self._count = 0

    def ignition(self) -> IgnitionConfig:
        host = self.access.host_key
        assert host is not None
        return additions.ssh_access(self.access.user, self.access.key.public).merge(
            additions.host_key(host.private, host.public)
        )

    def power_on(self, *, seconds: float = 20, **spec: Any) -> Machine:
        """A machine that has been started and not yet waited for."""
        self._count += 1
        instance = QemuInstance(
            MachineSpec(DiskImage(self.fake.image), **spec),
            GivenConfig(self.ignition()),
            FreshOverlay(),
            directory=self.directory / f"machine-{self._count}",
            accelerator=TCG,
            deadline=Deadline(seconds),
        )
        machine = Machine(instance, self.access, scale=SCALE)
        self._owned.callback(machine.close)
        machine.limit(Deadline(seconds))
        return machine

    def boot(self, **spec: Any) -> Machine:
        """A machine that answers."""
        machine = self.power_on(**spec)
        machine.wait_reachable()
        return machine

    def close(self) -> None:
        self._owned.close()


@contextmanager
def within(seconds: float) -> Iterator[None]:
    """Fail when what is inside takes longer, on a host up to four times as slow as a quiet one.

    A named cause is of use only when it comes at once.
    """
    started = time.monotonic()
    yield
    took = time.monotonic() - started
    most = seconds * SLOWEST_HOST
    assert took < most, f"took {took:.1f} s, expected less than {most} s"


def open_descriptors() -> dict[str, str]:
    """The target of each open descriptor of this process."""
    found = {}
    for entry in Path("/proc/self/fd").iterdir():
        try:
            found[entry.name] = os.readlink(entry)  # noqa: PTH115  # sockets are no paths
        except FileNotFoundError:
            continue
    return found

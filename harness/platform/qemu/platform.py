"""The Platform implementation for QEMU on this host."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable
from functools import cached_property
from pathlib import Path

from harness.ignition import IgnitionConfig
from harness.machine.boot import DiskImage
from harness.machine.spec import MachineSpec
from harness.platform.base import TPM, USER_NETWORK, Capacity, Missing, ServiceNetwork
from harness.platform.parts import tpm
from harness.platform.parts.accel import Accelerator, proven, qemu_package
from harness.platform.parts.frozen import obstacle
from harness.platform.parts.given import GivenConfig
from harness.platform.parts.private import HubNetwork
from harness.platform.parts.storage import FreshOverlay
from harness.platform.qemu.freezer import QemuFreezer
from harness.platform.qemu.instance import QemuInstance
from harness.platform.templates import Templates
from harness.util import host
from harness.util.deadline import Deadline


class QemuPlatform:
    """Implements harness.platform.base.Platform with local QEMU processes."""

    name = "qemu"
    place = ""
    lost = ""

    def __init__(self, arch: str = "x86_64") -> None:
        self.arch = arch

    @cached_property
    def accelerator(self) -> Accelerator:
        """The accelerator, found by running a tiny guest, once after each boot of the host."""
        return proven(self.arch)

    @cached_property
    def templates(self) -> Templates:
        return Templates(QemuFreezer(self.accelerator))

    @property
    def scale(self) -> float:
        return self.accelerator.scale

    @property
    def note(self) -> str:
        found = self.accelerator
        return f"{found.name}, since {found.note}; deadlines ×{found.scale}" if found.note else ""

    def check_host(self) -> list[Missing]:
        """QEMU, its tools, and swtpm for a TPM. Raises ConfigError for an unknown arch."""
        needed = {f"qemu-system-{self.arch}": qemu_package(self.arch), "qemu-img": "qemu-utils"}
        missing = [
            Missing(program, f"apt-get install {package}")
            for program, package in needed.items()
            if shutil.which(program) is None
        ]
        if not tpm.available():
            missing.append(Missing(TPM, f"apt-get install {TPM}", essential=False))
        return missing

    def launch(
        self,
        spec: MachineSpec,
        ignition: IgnitionConfig | bytes | None,
        *,
        directory: Path,
        deadline: Deadline,
    ) -> QemuInstance:
        return QemuInstance(
            spec,
            GivenConfig(ignition),
            FreshOverlay(),
            directory=directory,
            accelerator=self.accelerator,
            deadline=deadline,
        )

    def refuses(self, spec: MachineSpec) -> str:
        return ""

    def why_not_clone(self, spec: MachineSpec) -> str:
        return obstacle(spec)

    def private_network(self) -> HubNetwork:
        return HubNetwork()

    def why_not_connect(self) -> str:
        return ""

    def capacity(self) -> Capacity:
        return Capacity(host.total_memory(), host.available_memory(), host.cpus())

    def resident_memory(self, owners: Iterable[int]) -> dict[int, int]:
        return host.resident_memory(owners)

    def reconnect(self) -> None:
        """This host is never lost."""

    def prepare(self, image: DiskImage, tell: Callable[[str], None]) -> None:
        """QEMU reads the image where it is."""

    def service_network(self) -> ServiceNetwork:
        """Return SLIRP's network, which forwards connections to a service's address (guestfwd)."""
        return USER_NETWORK

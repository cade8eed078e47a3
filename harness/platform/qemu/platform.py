"""QEMU on this host as a Platform."""

from __future__ import annotations

from pathlib import Path

from harness.ignition import IgnitionConfig
from harness.machine.spec import MachineSpec
from harness.platform.qemu.accel import Accelerator, proven
from harness.platform.qemu.instance import QemuInstance
from harness.platform.qemu.template import Templates
from harness.util.deadline import Deadline


class QemuPlatform:
    """Implements harness.platform.base.Platform with local QEMU processes."""

    name = "qemu"

    def __init__(self, arch: str = "x86_64") -> None:
        self._accelerator: Accelerator = proven(arch)
        self.templates = Templates(self._accelerator)

    @property
    def accelerator(self) -> Accelerator:
        return self._accelerator

    @property
    def scale(self) -> float:
        return self._accelerator.scale

    def launch(
        self,
        spec: MachineSpec,
        ignition: IgnitionConfig | bytes | None,
        *,
        directory: Path,
        deadline: Deadline,
    ) -> QemuInstance:
        return QemuInstance(
            spec, ignition, directory=directory, accelerator=self._accelerator, deadline=deadline
        )

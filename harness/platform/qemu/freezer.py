"""Freezing and resuming of QEMU machines: RAM and disks in files, device state by migration."""

from __future__ import annotations

from pathlib import Path

from harness.ignition import IgnitionConfig
from harness.machine.spec import MachineSpec
from harness.platform.parts.accel import Accelerator, find_qemu
from harness.platform.parts.frozen import Frozen, copy
from harness.platform.parts.given import NOTHING, GivenConfig
from harness.platform.parts.storage import Freezing, Resuming, ResumingToFreeze, Storage
from harness.platform.qemu.instance import QemuInstance
from harness.util.deadline import Deadline


class QemuFreezer:
    """Implements harness.platform.templates.Freezer."""

    def __init__(self, accelerator: Accelerator) -> None:
        self._accelerator = accelerator

    @property
    def scale(self) -> float:
        return self._accelerator.scale

    def fingerprint(self, arch: str) -> list[str | float]:
        binary = find_qemu(arch)
        stat = binary.stat()
        return [self._accelerator.name, self._accelerator.cpu, str(binary), stat.st_size, stat.st_mtime_ns]

    def boot(
        self,
        spec: MachineSpec,
        given: IgnitionConfig | bytes | None,
        *,
        home: Path,
        deadline: Deadline,
        pad_to: int | None,
    ) -> QemuInstance:
        return self._start(spec, GivenConfig(given, pad_to), Freezing(Frozen(home)), home, deadline)

    def boot_again(self, spec: MachineSpec, source: Path, *, home: Path, deadline: Deadline) -> QemuInstance:
        old, new = Frozen(source), Frozen(home)
        copy(old, new, spec)
        return self._start(spec, NOTHING, ResumingToFreeze(old, new), home, deadline)

    def resume(
        self,
        spec: MachineSpec,
        source: Path,
        given: IgnitionConfig | bytes | None,
        *,
        directory: Path,
        deadline: Deadline,
        pad_to: int | None,
    ) -> QemuInstance:
        return self._start(spec, GivenConfig(given, pad_to), Resuming(Frozen(source)), directory, deadline)

    def _start(
        self, spec: MachineSpec, given: GivenConfig, storage: Storage, directory: Path, deadline: Deadline
    ) -> QemuInstance:
        return QemuInstance(
            spec, given, storage, directory=directory, accelerator=self._accelerator, deadline=deadline
        )

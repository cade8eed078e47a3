"""Freezing and resuming of domains: RAM and disks in files, device state by migration to and from a file."""

from __future__ import annotations

import shutil
from pathlib import Path

from harness.ignition import IgnitionConfig
from harness.machine.spec import MachineSpec
from harness.platform.libvirt.files import Clone, Kept, Origin
from harness.platform.libvirt.host import LibvirtHost
from harness.platform.libvirt.instance import LibvirtInstance
from harness.platform.libvirt.library import translated
from harness.platform.parts.frozen import Frozen, copy
from harness.platform.parts.given import NOTHING, GivenConfig
from harness.platform.parts.storage import Freezing, ResumingToFreeze
from harness.util.deadline import Deadline


class LibvirtFreezer:
    """Implements harness.platform.templates.Freezer."""

    def __init__(self, host: LibvirtHost) -> None:
        self._host = host

    @property
    def scale(self) -> float:
        return self._host.proof.accelerator.scale

    def fingerprint(self, arch: str) -> list[str | float]:
        proof, handle = self._host.proof, self._host.connection().handle
        accelerator = proof.accelerator
        with translated("asking its version"):
            versions = handle.getVersion(), handle.getLibVersion()
        if not self._host.local:
            where = [self._host.uri, self._host.place]
            return ["libvirt", accelerator.name, accelerator.cpu, proof.emulator, *where, *versions]
        stat = Path(proof.emulator).stat()
        return [
            *("libvirt", accelerator.name, accelerator.cpu, proof.emulator),
            *(stat.st_size, stat.st_mtime_ns, *versions),
        ]

    def boot(
        self,
        spec: MachineSpec,
        given: IgnitionConfig | bytes | None,
        *,
        home: Path,
        deadline: Deadline,
        pad_to: int | None,
    ) -> LibvirtInstance:
        return self._start(spec, GivenConfig(given, pad_to), Kept(Freezing(Frozen(home))), home, deadline)

    def boot_again(
        self, spec: MachineSpec, source: Path, *, home: Path, deadline: Deadline
    ) -> LibvirtInstance:
        old, new = Frozen(source), Frozen(home)
        if self._host.local:
            copy(old, new, spec)
        else:
            shutil.copyfile(old.journal, new.journal)
        return self._start(spec, NOTHING, Kept(ResumingToFreeze(old, new)), home, deadline)

    def resume(
        self,
        spec: MachineSpec,
        source: Path,
        given: IgnitionConfig | bytes | None,
        *,
        directory: Path,
        deadline: Deadline,
        pad_to: int | None,
    ) -> LibvirtInstance:
        return self._start(spec, GivenConfig(given, pad_to), Clone(Frozen(source)), directory, deadline)

    def _start(
        self, spec: MachineSpec, given: GivenConfig, origin: Origin, directory: Path, deadline: Deadline
    ) -> LibvirtInstance:
        return LibvirtInstance(spec, given, origin, directory=directory, host=self._host, deadline=deadline)

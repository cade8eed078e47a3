"""The common part of the scenarios: media of the build, machines that boot them, stages."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from harness.artifact import Build
from harness.artifact.distro import COMPLETION_PORT, Distro, console_device
from harness.ignition import IgnitionConfig
from harness.installer.follow import Follower
from harness.installer.isoimage import IsoImage
from harness.installer.kargs import KargsEdit
from harness.installer.signs import ORDER, Stage
from harness.installer.stages import LIMITS, StageTracker
from harness.machine import channels
from harness.machine.boot import EmptyDisk, Medium
from harness.machine.machine import Machine
from harness.services import Services
from kola.run.plan import LiveMedia

ISO = "live-iso"
TARGET_GIB = 12
TARGET = "/dev/vda"
"""The disk that is installed to: the only one, on virtio."""


@dataclass(frozen=True)
class Lab:
    """Fixtures of one test, together. `directory` is for the test's own files."""

    build: Build | None
    media: LiveMedia
    arch: str
    memory_mib: int | None
    distro: Distro
    services: Services
    new_machine: Callable[..., Machine]
    way_in: IgnitionConfig
    directory: Path
    owned: ExitStack
    publish: Callable[..., None]
    scale: float

    def require(self, *kinds: str) -> None:
        """Skip the test where the build, or the ISO tested alone, lacks an artifact."""
        lacking = [kind for kind in kinds if not self._has(kind)]
        if not lacking:
            return
        if self.build is None:
            pytest.skip(f"needs a build directory with {', '.join(lacking)}: an image alone is tested")
        pytest.skip(
            f"build {self.build.id} has no {', '.join(lacking)} (nosa buildextend-metal, -metal4k, -live)"
        )

    def _has(self, kind: str) -> bool:
        given = kind == ISO and self.media.iso is not None
        return given or (self.build is not None and self.build.has(kind))

    def artifact(self, kind: str) -> Path:
        """A file of the build, unpacked; the test is skipped where there is none."""
        self.require(kind)
        if kind == ISO and self.media.iso is not None:
            return self.media.iso
        assert self.build is not None
        return self.build.artifact(kind).ready()

    def iso(self) -> IsoImage:
        """The live ISO under test."""
        return IsoImage(self.artifact(ISO), self.distro)

    @property
    def console(self) -> str:
        """The kernel argument by which a system talks to the serial console."""
        return f"console={self.console_name}"

    @property
    def console_name(self) -> str:
        return f"{console_device(self.arch)},115200n8"

    def on_console(self, *more: str, delete: Sequence[str] = ()) -> KargsEdit:
        """Kernel arguments of a live system that is seen on the serial console."""
        return KargsEdit(append=(self.console, *more), delete=tuple(delete))

    def start(
        self,
        medium: Medium,
        *,
        plan: Sequence[Stage] = ORDER,
        expected: Collection[str] = (),
        disk: EmptyDisk | None = None,
        limits: Mapping[Stage, float] | None = None,
        **machine: Any,
    ) -> Follower:
        """Switch a machine on that boots `medium`; it has an empty `disk`. Keywords as of the marker."""
        if self.memory_mib is not None:
            machine.setdefault("memory_mib", self.memory_mib)
        ports = (COMPLETION_PORT, self.distro.live_success_port)
        booted = self.new_machine(
            wait=False,
            primary=disk,
            medium=medium,
            ignition=None,
            channels=(
                *channels.standard(self.distro.ignition_journal_port),
                *(channels.signal(port) for port in ports),
            ),
            **machine,
        )
        booted.unchecked = True
        tracker = StageTracker(
            plan,
            scale=self.scale,
            expected=expected,
            publish=lambda kind, data: self.publish(kind, machine=booted.directory.name, **data),
            limits=limits or LIMITS,
        )
        return self.owned.enter_context(Follower(booted, tracker, ports))


def reach_installed(follower: Follower) -> Machine:
    """The machine once its installed system has said that it is up, from now on about that boot."""
    follower.wait(Stage.INSTALLED_UP)
    follower.machine.leave_boot()
    follower.wait(Stage.CHECKS)
    return follower.machine


def empty_target(gib: int = TARGET_GIB) -> EmptyDisk:
    return EmptyDisk(gib)

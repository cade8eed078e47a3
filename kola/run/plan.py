"""The plan of a run: everything decided before the first test starts. Workers receive it as JSON."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from harness.artifact import Build, BuildRoot, Distro, distro_named
from harness.machine import channels
from harness.machine.boot import DiskImage
from harness.machine.sessions import Access
from harness.machine.spec import DiskOptions, Firmware, HostDirectory, MachineSpec, QemuOptions
from harness.platform.hosts import HostEntry


@dataclass(frozen=True, kw_only=True)
class Defaults:
    """The default machine. None means that kola chooses."""

    memory_mib: int | None = None
    cpus: int = 1
    firmware: Firmware | None = None
    primary_disk: DiskOptions = field(default_factory=DiskOptions)
    primary_size: str | None = None
    swtpm: bool = True
    host_directories: tuple[HostDirectory, ...] = ()
    extra_qemu_args: tuple[str, ...] = ()

    def firmware_of(self, arch: str) -> Firmware:
        """Return the firmware of machines of `arch`: aarch64 has no BIOS."""
        if self.firmware is not None:
            return self.firmware
        return Firmware.UEFI if arch == "aarch64" else Firmware.BIOS


@dataclass(frozen=True, kw_only=True)
class LiveMedia:
    """Options of the install scenarios: a live ISO in place of the build's, and additions.

    With `insecure` no signature of an image is required; `kernel_args` are added to network boots.
    """

    iso: Path | None = None
    insecure: bool = False
    kernel_args: str = ""


@dataclass(frozen=True, kw_only=True)
class RunPlan:
    """The plan. `tests` are the chosen names; `origins` map multiplied names to the original test.

    `ignition` are texts of configs merged into every machine's. `minutes` is the time limit of a test without
    its own; `extend` is in per cent. `broken` are the Python tests that cannot run: name, file, and reason.
    With a `parent`, machines start from that build or image and are upgraded to `build_id`. `rerun_success`
    are the tags of tests that may pass at a second attempt; None means all. `hosts` are the daemons of
    the platform `libvirt`, none for the user's default; `libvirt_network` is theirs for machines that are
    reached there.
    """

    output: Path
    image: Path
    image_format: str
    image_identity: str
    build_id: str
    build_directory: Path | None
    stream: str | None = None
    parent: str = ""
    platform: str
    hosts: tuple[HostEntry, ...] = ()
    libvirt_network: str = ""
    arch: str
    distro_name: str
    access: Access
    defaults: Defaults = field(default_factory=Defaults)
    tests: tuple[str, ...] = ()
    warn_on_failure: frozenset[str] = frozenset()
    console_warnings_only: bool = False
    external_roots: tuple[tuple[str, str], ...] = ()
    broken: tuple[tuple[str, str, str], ...] = ()
    ignition: tuple[str, ...] = ()
    debug_units: tuple[str, ...] = ()
    boot: str = "auto"
    isolation: str = "machine"
    minutes: float = 10.0
    extend: int = 0
    multiply: int = 1
    rerun: bool = False
    rerun_success: tuple[str, ...] | None = None
    keep_failed: bool = False
    live: LiveMedia = field(default_factory=LiveMedia)
    strict_profile: bool = False

    @property
    def distro(self) -> Distro:
        return distro_named(self.distro_name)

    def build(self) -> Build | None:
        """Return the build under test; None for a bare image."""
        if self.build_directory is None:
            return None
        return BuildRoot(self.build_directory.parents[2]).find(self.build_id, self.arch)

    def base_spec(self) -> MachineSpec:
        """Return the default machine: one CPU, 1024 MiB (2048 off x86_64)."""
        memory = self.defaults.memory_mib or (1024 if self.arch == "x86_64" else 2048)
        return MachineSpec(
            DiskImage(self.image, self.image_format),
            arch=self.arch,
            memory_mib=memory,
            cpus=self.defaults.cpus,
            firmware=self.defaults.firmware_of(self.arch),
            primary_disk=self.defaults.primary_disk,
            primary_size=self.defaults.primary_size,
            swtpm=self.defaults.swtpm,
            host_directories=self.defaults.host_directories,
            channels=channels.standard(self.distro.ignition_journal_port),
            qemu=QemuOptions(extra_args=self.defaults.extra_qemu_args),
        )

    def to_json(self) -> dict[str, Any]:
        data: dict[str, Any] = _adapter().dump_python(self, mode="json")
        return data

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> RunPlan:
        """Return the inverse of `to_json`. Raises pydantic's ValidationError for anything else."""
        return _adapter().validate_python(data, strict=False)


@cache
def _adapter() -> TypeAdapter[RunPlan]:
    return TypeAdapter(RunPlan)

"""Everything decided before the first test starts. Workers receive it as JSON."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from harness.artifact import Build, BuildRoot, Distro, distro_named
from harness.machine.machine import Access
from harness.machine.spec import Disk, DiskOptions, Firmware, HostDirectory, MachineSpec
from harness.machine.ssh import SshKey


@dataclass(frozen=True, kw_only=True)
class Defaults:
    """The machine a test gets that asks for nothing. None is "as kola chooses"."""

    memory_mib: int | None = None
    cpus: int = 1
    firmware: Firmware | None = None
    primary_disk: str = ""
    primary_size: str | None = None
    swtpm: bool = True
    host_directories: tuple[str, ...] = ()
    extra_qemu_args: tuple[str, ...] = ()

    def firmware_of(self, arch: str) -> Firmware:
        """What a machine of `arch` starts with: aarch64 has no BIOS."""
        if self.firmware is not None:
            return self.firmware
        return Firmware.UEFI if arch == "aarch64" else Firmware.BIOS


@dataclass(frozen=True, kw_only=True)
class RunPlan:
    """`tests` are the chosen names, `origins` lead from multiplied names back to the test repeated.

    `ignition` are texts of configs merged into every machine's. `minutes` is what a test gets that
    says nothing; `extend` is in per cent. With a `parent`, machines start from that build or image and are
    to become `build_id`.
    """

    output: Path
    image: Path
    image_format: str
    image_identity: str
    build_id: str
    build_directory: Path | None
    parent: str = ""
    platform: str
    arch: str
    distro_name: str
    access: Access
    defaults: Defaults = field(default_factory=Defaults)
    tests: tuple[str, ...] = ()
    selected: bool = False
    warn_on_failure: frozenset[str] = frozenset()
    console_warnings_only: bool = False
    external_roots: tuple[tuple[str, str], ...] = ()
    ignition: tuple[str, ...] = ()
    debug_units: tuple[str, ...] = ()
    boot: str = "auto"
    isolation: str = "machine"
    minutes: float = 10.0
    extend: int = 0
    multiply: int = 1
    rerun: bool = False
    keep: bool = False

    @property
    def distro(self) -> Distro:
        return distro_named(self.distro_name)

    def build(self) -> Build | None:
        """The build under test; None where a bare image is tested."""
        if self.build_directory is None:
            return None
        return BuildRoot(self.build_directory.parents[2]).find(self.build_id, self.arch)

    def base_spec(self) -> MachineSpec:
        """The machine of a test that asks for nothing: one CPU, 1024 MiB (2048 off x86_64)."""
        memory = self.defaults.memory_mib or (1024 if self.arch == "x86_64" else 2048)
        options = Disk.parse(":" + self.defaults.primary_disk).options if self.defaults.primary_disk else None
        return MachineSpec(
            image=self.image,
            arch=self.arch,
            image_format=self.image_format,
            memory_mib=memory,
            cpus=self.defaults.cpus,
            firmware=self.defaults.firmware_of(self.arch),
            primary_disk=options or DiskOptions(),
            primary_size=self.defaults.primary_size,
            swtpm=self.defaults.swtpm,
            host_directories=tuple(_host_directory(text) for text in self.defaults.host_directories),
            extra_qemu_args=self.defaults.extra_qemu_args,
            initramfs_journal_port=self.distro.ignition_journal_port,
        )

    def to_json(self) -> dict[str, Any]:
        data = asdict(self)
        data["output"] = str(self.output)
        data["image"] = str(self.image)
        data["build_directory"] = str(self.build_directory) if self.build_directory else None
        data["warn_on_failure"] = sorted(self.warn_on_failure)
        return data

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> RunPlan:
        fields = dict(data)
        access = fields["access"]
        host_key = access["host_key"]
        fields["access"] = Access(
            access["user"], SshKey(**access["key"]), SshKey(**host_key) if host_key else None
        )
        defaults = dict(fields["defaults"])
        if defaults["firmware"] is not None:
            defaults["firmware"] = Firmware(defaults["firmware"])
        for key in ("host_directories", "extra_qemu_args"):
            defaults[key] = tuple(defaults[key])
        fields["defaults"] = Defaults(**defaults)
        fields["output"] = Path(fields["output"])
        fields["image"] = Path(fields["image"])
        directory = fields["build_directory"]
        fields["build_directory"] = Path(directory) if directory else None
        fields["warn_on_failure"] = frozenset(fields["warn_on_failure"])
        fields["external_roots"] = tuple((a, b) for a, b in fields["external_roots"])
        for key in ("tests", "ignition", "debug_units"):
            fields[key] = tuple(fields[key])
        return cls(**fields)


def _host_directory(text: str) -> HostDirectory:
    host, _, mount = text.partition(",")
    return HostDirectory(Path(host).absolute(), mount or host)

"""QEMU's firmware descriptors: JSON files in which a distribution names its firmware.

Format: qemu, docs/interop/firmware.json.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from harness.errors import ConfigError
from harness.machine.spec import Firmware
from harness.util.jsonfile import JsonFile

_SYSTEM_DIRECTORIES = (Path("/usr/share/qemu/firmware"), Path("/etc/qemu/firmware"))
_MACHINES = {"x86_64": "pc-q35-", "aarch64": "virt-"}


@dataclass(frozen=True)
class Descriptor:
    """A firmware: the files of its code and its pristine variables, both raw images, and its features."""

    code: Path
    variables: Path
    features: frozenset[str]

    def suits(self, firmware: Firmware) -> bool:
        """Return True when the firmware suits.

        Plain UEFI must run without SMM and keys; Secure Boot needs enrolled keys.
        """
        if firmware is Firmware.UEFI_SECURE:
            return {"secure-boot", "enrolled-keys"} <= self.features
        return not self.features & {"enrolled-keys", "requires-smm"}


def find(firmware: Firmware, arch: str) -> Descriptor | None:
    """Return the first suitable descriptor whose files exist, in the order of file names."""
    for path in _files():
        descriptor = _read(path, arch)
        if descriptor is None or not descriptor.suits(firmware):
            continue
        if descriptor.code.exists() and descriptor.variables.exists():
            return descriptor
    return None


def _directories() -> tuple[Path, ...]:
    """Return the directories from the lowest priority to the highest."""
    config = os.environ.get("XDG_CONFIG_HOME") or f"{os.environ.get('HOME', '')}/.config"
    return (*_SYSTEM_DIRECTORIES, Path(config) / "qemu/firmware")


def _files() -> Iterator[Path]:
    """Yield the files.

    A file hides those of its name in directories of lower priority; an empty one only hides.
    """
    found: dict[str, Path] = {}
    for directory in _directories():
        if directory.is_dir():
            found |= {path.name: path for path in directory.glob("*.json")}
    yield from (found[name] for name in sorted(found))


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, defer_build=True)


class _Image(_Part):
    filename: Path
    format: str


class _Mapping(_Part):
    """A firmware in flash memory."""

    device: Literal["flash"]
    mode: Literal["split"] = "split"
    executable: _Image
    variables: _Image = Field(alias="nvram-template")


class _Target(_Part):
    architecture: str
    machines: tuple[str, ...]


class _Document(_Part):
    interfaces: frozenset[str] = Field(alias="interface-types")
    mapping: _Mapping
    targets: tuple[_Target, ...]
    features: frozenset[str]


_FORMAT = JsonFile(_Document, "a descriptor of UEFI in split flash images")


def _read(path: Path, arch: str) -> Descriptor | None:
    """Read a descriptor. Returns None unless it is UEFI in split flash images for our machines of `arch`."""
    try:
        found = _FORMAT.read(path)
    except ConfigError:
        return None  # Broken files are skipped: other users of QEMU would have noticed.
    code, variables = found.mapping.executable, found.mapping.variables
    machines = [name for one in found.targets if one.architecture == arch for name in one.machines]
    ours = arch in _MACHINES and any(name.startswith(_MACHINES[arch]) for name in machines)
    if not ours or "uefi" not in found.interfaces or {code.format, variables.format} != {"raw"}:
        return None
    return Descriptor(code.filename, variables.filename, found.features)

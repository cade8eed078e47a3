"""Initrds that supply a live system with its Ignition config and its network."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from harness.errors import ConfigError
from harness.installer import cpio
from harness.installer.iso9660 import Iso9660
from harness.machine.boot import Overwrite

CONFIG = "config.ign"
_DEFAULT_FILE = "images/ignition.img"


def members(
    *, config: bytes | None = None, keyfiles: Mapping[str, str] | None = None, network_dir: str
) -> dict[str, bytes]:
    """Return files for the live initramfs: a config, and NetworkManager keyfiles (by name) below
    `network_dir`.
    """
    files = {f"{network_dir}/{name}": text.encode() for name, text in (keyfiles or {}).items()}
    if config is not None:
        files[CONFIG] = config
    return files


def wrap_ignition(config: bytes) -> bytes:
    """Return an initrd that holds `config`, as `pxe ignition wrap` makes it."""
    return cpio.pack({CONFIG: config})


def wrap_network(keyfiles: Mapping[str, str], network_dir: str) -> bytes:
    """Return an initrd that holds keyfiles, as `pxe network wrap` makes it."""
    return cpio.pack(members(keyfiles=keyfiles, network_dir=network_dir))


class _Location(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True, defer_build=True)
    file: str = _DEFAULT_FILE
    offset: int = 0
    length: int | None = None


@dataclass(frozen=True)
class InitrdArea:
    """The bytes of a live ISO that the kernel gets as a second initrd: `length` bytes from `offset` on."""

    image: Path
    offset: int
    length: int
    content: bytes

    @classmethod
    def of(cls, iso: Iso9660, directory: str) -> InitrdArea:
        """Return the area that `igninfo.json` in `directory` names, by default `images/ignition.img`."""
        name = f"{directory.strip('/')}/igninfo.json"
        entry = iso.find(name)
        try:
            location = _Location.model_validate_json(iso.read(entry)) if entry is not None else _Location()
        except ValidationError as error:
            raise ConfigError(f"{name} of the image: {error.errors()[0]['msg']}", file=iso.path) from error
        file = iso.require(location.file)
        length = location.length if location.length is not None else file.length - location.offset
        offset = file.offset + location.offset
        return cls(iso.path, offset, length, iso.read_range(offset, length))

    def members(self) -> dict[str, bytes]:
        """Return the files now in the area; none in a pristine image."""
        return cpio.unpack(self.content)

    def written(self, files: Mapping[str, bytes]) -> Overwrite:
        """Return the change that makes these files the only ones.

        Raises ConfigError when they are too large.
        """
        data = cpio.pack(files) if files else b""
        if len(data) > self.length:
            raise ConfigError(
                f"{len(data)} bytes of config do not fit: the image has room for {self.length}",
                file=self.image,
                hint="fetch large files by URL",
            )
        return Overwrite(self.offset, data.ljust(self.length, b"\0"))

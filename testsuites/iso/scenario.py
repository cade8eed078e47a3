"""A row of scenarios.toml."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from harness.errors import ConfigError
from harness.machine.spec import Firmware
from kola.cases.table import Row

SECTOR_SIZES = {"512": "metal", "4k": "metal4k"}
"""The raw image that fits a disk of these sectors."""


class Boot(StrEnum):
    """The way in which the live system boots."""

    CD = "cd"
    AS_DISK = "as-disk"
    MINISO = "miniso"
    PXE = "pxe"


class Source(StrEnum):
    """The installer's source of the image; `none` installs nothing."""

    NONE = "none"
    OSMET = "osmet"
    IMAGE_URL = "image-url"


class Scenario(BaseModel):
    """The columns of the table beside those that every test has."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    boot: Boot
    boot_firmware: Firmware = Firmware.BIOS
    sectors: str = "512"
    network: bool = False
    source: Source = Source.NONE
    multipath: bool = False
    fromram: bool = False
    keyfile: bool = False
    config: bool = True
    rootfs_appended: bool = False
    aliases: tuple[str, ...] = ()

    @classmethod
    def of(cls, row: Row) -> Scenario:
        """Parse a row. Raises ConfigError with the row for a column that is unknown or wrong."""
        try:
            return cls.model_validate(dict(row.values))
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(str(part) for part in first["loc"])
            table = Path(__file__).with_name("scenarios.toml")
            raise ConfigError(f"{row.info.name}: {where}: {first['msg']}", file=table) from error

    @property
    def installs(self) -> bool:
        return self.source is not Source.NONE

    @property
    def metal(self) -> str:
        """The artifact that is written to the disk."""
        return SECTOR_SIZES[self.sectors]

    def artifacts(self) -> tuple[str, ...]:
        """The artifacts of a build without which the scenario cannot be run."""
        media = ("live-kernel", "live-initramfs", "live-rootfs") if self.boot is Boot.PXE else ("live-iso",)
        return (*media, self.metal) if self.installs else media

"""Kernel arguments as coreos-installer edits them, and the areas of a live ISO that hold them.

Format: `kargs.json` of the image lists the areas; each holds the arguments, a newline and padding that the
boot loader reads as a comment.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from harness.errors import ConfigError
from harness.installer.iso9660 import Iso9660
from harness.machine.boot import Overwrite


@dataclass(frozen=True)
class KargsEdit:
    """A change of kernel arguments: first delete, then append, then replace (`KEY=OLD=NEW`)."""

    append: tuple[str, ...] = ()
    delete: tuple[str, ...] = ()
    replace: tuple[str, ...] = ()

    def apply(self, current: str) -> str:
        """Return the new text. An argument to be deleted may be absent. Raises ConfigError."""
        text = f" {current} "
        for word in self.delete:
            text = text.replace(f" {word.strip()} ", " ")
        for word in self.append:
            text += f"{word.strip()} "
        for word in self.replace:
            try:
                key, old, new = word.strip().split("=", 2)
            except ValueError:
                raise ConfigError(
                    f"kernel argument {word!r} cannot be replaced", hint="write KEY=OLD=NEW"
                ) from None
            text = text.replace(f" {key}={old} ", f" {key}={new} ")
        return text.strip()


class _Area(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True, defer_build=True)
    path: str
    offset: int
    end: str = "\n"
    pad: str = "#"


class _Description(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True, defer_build=True)
    default: str
    size: int
    files: list[_Area]


@dataclass(frozen=True)
class KargsAreas:
    """The areas of one image: `size` bytes each, at `places` (byte in the image, end, padding)."""

    image: Path
    default: str
    size: int
    current: str
    places: tuple[tuple[int, str, str], ...]

    @classmethod
    def of(cls, iso: Iso9660, directory: str) -> KargsAreas:
        """Return the areas that `kargs.json` in `directory` of the image describes. Raises ConfigError."""
        name = f"{directory.strip('/')}/kargs.json"
        content = iso.read(iso.require(name))
        try:
            described = _Description.model_validate_json(content)
        except ValidationError as error:
            first: Any = error.errors()[0]
            where = ".".join(str(part) for part in first["loc"])
            raise ConfigError(f"{name} of the image: {where}: {first['msg']}", file=iso.path) from error
        places, texts = [], []
        for area in described.files:
            offset = iso.require(area.path).offset + area.offset
            text = iso.read_range(offset, described.size).decode(errors="replace")
            texts.append(text.rstrip(area.pad).strip())
            places.append((offset, area.end, area.pad))
        if len(set(texts)) != 1:
            raise ConfigError(
                f"the areas for kernel arguments do not agree: {texts}",
                file=iso.path,
                hint="`iso kargs reset` of the installer makes them equal",
            )
        return cls(iso.path, described.default, described.size, texts[0], tuple(places))

    def written(self, arguments: str) -> list[Overwrite]:
        """Return the changes that put these arguments into every area.

        Raises ConfigError when they are too long.
        """
        if len(arguments.encode()) >= self.size:
            raise ConfigError(
                f"{len(arguments.encode())} bytes of kernel arguments do not fit: the areas have {self.size}",
                file=self.image,
                hint="leave some out",
            )
        changes = []
        for offset, end, pad in self.places:
            data = (arguments + end).encode()
            changes.append(Overwrite(offset, data + pad.encode() * (self.size - len(data))))
        return changes

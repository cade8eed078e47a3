"""The supported Ignition spec versions: the stable ones of major 3."""

from __future__ import annotations

import re
from dataclasses import dataclass

from harness.errors import ConfigError
from harness.util.quote import quote

NEWEST_MINOR = 6
"""The newest stable minor in Ignition's public source; 3.7.0 is still experimental there."""

_SEMVER = re.compile(r"(0|[1-9]\d{0,8})\.(0|[1-9]\d{0,8})\.(0|[1-9]\d{0,8})(-[0-9A-Za-z.-]{1,40})?", re.ASCII)


@dataclass(frozen=True, order=True, slots=True)
class SpecVersion:
    """Ignition spec 3.`minor`.0."""

    minor: int

    def __str__(self) -> str:
        return f"3.{self.minor}.0"

    @classmethod
    def parse(cls, text: object) -> SpecVersion:
        """Parse a stable 3.x.0. Raises ConfigError with the version for anything else."""
        if text is None or text == "":
            raise ConfigError("$.ignition.version: a spec version is required", hint="for example 3.3.0")
        match = _SEMVER.fullmatch(text) if isinstance(text, str) else None
        if match is None:
            raise ConfigError(f"$.ignition.version: {quote(text)} is not a version such as 3.3.0")
        major, minor, patch, label = int(match[1]), int(match[2]), int(match[3]), match[4]
        supported = f"supported are 3.0.0 to 3.{NEWEST_MINOR}.0"
        if label:
            raise ConfigError(f"$.ignition.version: {text} is not a stable spec version", hint=supported)
        if major != 3 or minor > NEWEST_MINOR or patch:
            raise ConfigError(f"$.ignition.version: spec version {text} is not supported", hint=supported)
        return cls(minor)


OLDEST = SpecVersion(0)

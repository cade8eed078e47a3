"""Byte sizes such as 10G, parsed and formatted."""

from __future__ import annotations

import re

from harness.errors import ConfigError

MIB = 1024 * 1024
GIB = 1024 * MIB

_UNITS = {"": 1, "B": 1, "K": 1024, "M": MIB, "G": GIB, "T": 1024 * GIB}


def parse_size(text: str) -> int:
    """Parse `10G`, `512M`, `4096` to bytes; powers of 1024, an optional `iB` tail. Raises ConfigError."""
    found = re.fullmatch(r"([0-9]{1,18})\s*([BKMGT]?)(?:iB|B)?", text.strip(), re.IGNORECASE)
    if found is None:
        hint = "write a whole number with K, M, G or T, such as 10G"
        raise ConfigError(f"not a size: {text[:40]!r}", hint=hint)
    return int(found[1]) * _UNITS[found[2].upper()]


def show_size(count: int) -> str:
    """Format bytes for people: `10.0 GiB`."""
    value = float(count)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if value < 1024:
            return f"{value:.1f} {unit}" if unit != "B" else f"{count} B"
        value /= 1024
    return f"{value:.1f} TiB"

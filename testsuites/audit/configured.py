"""The config of a run. Files that it writes and units that it enables are not changes of the system."""

from __future__ import annotations

import json
from dataclasses import dataclass

from harness.ignition import IgnitionConfig


@dataclass(frozen=True)
class Configured:
    """Paths and units of an Ignition config; `enabled` and `masked` are subsets of its units."""

    paths: frozenset[str] = frozenset()
    units: frozenset[str] = frozenset()
    enabled: frozenset[str] = frozenset()
    masked: frozenset[str] = frozenset()
    users: frozenset[str] = frozenset()

    @classmethod
    def of(cls, config: IgnitionConfig) -> Configured:
        tree = json.loads(config.to_json())
        storage, units = tree.get("storage", {}), tree.get("systemd", {}).get("units", [])
        nodes = [node for kind in ("files", "directories", "links") for node in storage.get(kind, [])]
        return cls(
            frozenset(node["path"] for node in nodes),
            frozenset(unit["name"] for unit in units),
            frozenset(unit["name"] for unit in units if unit.get("enabled")),
            frozenset(unit["name"] for unit in units if unit.get("mask")),
            frozenset(user["name"] for user in tree.get("passwd", {}).get("users", [])),
        )

    def wrote(self, path: str) -> bool:
        """Return True when the config wrote this file, or the unit or drop-in that it belongs to."""
        if path in self.paths:
            return True
        parts = path.removeprefix("/etc/systemd/system/").split("/")
        return path.startswith("/etc/systemd/system/") and parts[0].removesuffix(".d") in self.units

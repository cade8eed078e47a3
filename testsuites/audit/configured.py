"""Differences from the build that are no findings: the harness's own, and those its sources approve."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace

from harness.ignition import IgnitionConfig
from kola.facts.approvals import Approval

_OWN = re.compile(r"(.*/|\d+-)?kola-[^/]*")
"""Units, drop-ins and files that the harness, or the author of a test, has named as kola's."""
_ETC = "/etc/systemd/system/"


@dataclass(frozen=True)
class Configured:
    """Paths, units and drop-ins of the harness; `enabled` and `masked` are subsets of its units."""

    paths: frozenset[str] = frozenset()
    units: frozenset[str] = frozenset()
    enabled: frozenset[str] = frozenset()
    masked: frozenset[str] = frozenset()
    dropins: frozenset[str] = frozenset()
    approvals: tuple[Approval, ...] = ()

    @classmethod
    def of(cls, config: IgnitionConfig) -> Configured:
        """Return what the harness brings into each machine of a run with this config.

        Everything else that `--append-ignition` brings is judged like the build. Only units, drop-ins and
        files of the config that are named `kola-…` are known.
        """
        tree = json.loads(config.to_json())
        storage, units = tree.get("storage", {}), tree.get("systemd", {}).get("units", [])
        nodes = [node["path"] for kind in ("files", "directories", "links") for node in storage.get(kind, [])]
        own = [unit for unit in units if _OWN.fullmatch(unit["name"])]
        return cls(
            paths=frozenset(path for path in nodes if _OWN.fullmatch(path)),
            units=frozenset(unit["name"] for unit in own),
            enabled=frozenset(unit["name"] for unit in own if unit.get("enabled")),
            masked=frozenset(unit["name"] for unit in own if unit.get("mask")),
            dropins=frozenset(
                f"{_ETC}{unit['name']}.d/{dropin['name']}"
                for unit in units
                for dropin in unit.get("dropins", [])
                if _OWN.fullmatch(dropin["name"])
            ),
        )

    def approved(self, approvals: Iterable[Approval]) -> Configured:
        """Return the same, with files and units that src/config approves."""
        return replace(self, approvals=tuple(approvals))

    def wrote(self, path: str) -> bool:
        """Return True for a file of the harness, or one that is approved."""
        if path in self.paths | self.dropins or self.approves("files", path):
            return True
        unit = path.removeprefix(_ETC).partition("/")[0].removesuffix(".d")
        return path.startswith(_ETC) and unit in self.units

    def enables(self, unit: str) -> bool:
        """Return True for a unit that the harness enables, or that may be enabled by approval."""
        return unit in self.enabled or self.approves("enabled-units", unit)

    def approves(self, category: str, item: str) -> bool:
        return any(one.covers(category, item) for one in self.approvals)

"""Boots that failed, remembered for the whole run: a guest that cannot boot is not booted for every test."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection
from dataclasses import asdict, dataclass
from pathlib import Path

from harness.errors import HarnessError, MachineFailure
from harness.ignition import IgnitionConfig
from harness.machine.spec import MachineSpec
from kola.machines.request import Verbatim

TRIES = 2
"""Boots that must have failed alike before no more are made."""


@dataclass(frozen=True)
class FailedBoot:
    """Whose machine it was, and what became of it: `name` as of MachineFailure."""

    tenant: str
    name: str
    message: str
    evidence: str


class BrokenBoots:
    """Kept in `home`, one file for each kind of machine; every process of a run adds to it and reads it."""

    def __init__(self, home: Path) -> None:
        self._home = home

    def kind(self, spec: MachineSpec, config: IgnitionConfig | Verbatim, prepared: str = "") -> str:
        """What makes two machines the same: a spec, the config of the first boot, what was done to it."""
        given = repr(config) if isinstance(config, Verbatim) else config.to_json()
        text = json.dumps([asdict(spec), given, prepared], sort_keys=True, default=str)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def add(self, kind: str, tenant: str, error: HarnessError) -> None:
        """Remember one boot that ended in `error`."""
        if isinstance(error, MachineFailure):
            boot = FailedBoot(tenant, error.name, error.message, error.evidence)
        else:
            boot = FailedBoot(tenant, "boot-timeout", str(error), "")
        self._home.mkdir(parents=True, exist_ok=True)
        with (self._home / kind).open("a") as file:  # one write each: lines of two processes never mix
            file.write(json.dumps(asdict(boot)) + "\n")

    def seen(self, kind: str) -> list[FailedBoot]:
        """The boots of this kind that failed, oldest first."""
        try:
            lines = (self._home / kind).read_text().splitlines()
        except FileNotFoundError:
            return []
        return [FailedBoot(**json.loads(line)) for line in lines]

    def check(self, kind: str, opt_out: Collection[str] = ()) -> None:
        """Raise MachineFailure when TRIES boots of this kind failed alike, by a name not opted out of."""
        alike: dict[str, list[FailedBoot]] = {}
        for boot in self.seen(kind):
            alike.setdefault(boot.name, []).append(boot)
        for name, boots in alike.items():
            if len(boots) >= TRIES and name not in opt_out:
                of = " and ".join(boot.tenant for boot in boots[:TRIES])
                raise MachineFailure(
                    name,
                    f"{boots[0].message}\nSo ended the boots for {of}; none was made for this test.",
                    evidence=boots[0].evidence,
                )

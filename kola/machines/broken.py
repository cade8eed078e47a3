"""Failed boots, remembered for the whole run, so that a guest that cannot boot is not tried for every
test.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection
from dataclasses import asdict, dataclass
from pathlib import Path

from harness.errors import HarnessError, MachineFailure
from harness.ignition import IgnitionConfig
from harness.machine.spec import MachineSpec
from harness.util.jsonfile import JsonFile
from kola.machines.request import Verbatim

TRIES = 2
"""Number of boots that must have failed alike before no more are made."""


@dataclass(frozen=True)
class FailedBoot:
    """A failed boot: the machine's owner, and the error. `cause` is that of MachineFailure."""

    owner: str
    cause: str
    message: str
    evidence: str


_LINE = JsonFile(FailedBoot, "a record of a failed boot")


class BrokenBoots:
    """The failed boots in `home`, one file for each kind of machine. All processes of a run add and read."""

    def __init__(self, home: Path) -> None:
        self._home = home

    def kind(self, spec: MachineSpec, config: IgnitionConfig | Verbatim, prepared: str = "") -> str:
        """Return an identifier of everything that determines a boot: spec, config of the first boot,
        preparation.
        """
        given = repr(config) if isinstance(config, Verbatim) else config.to_json()
        text = json.dumps([asdict(spec), given, prepared], sort_keys=True, default=str)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def add(self, kind: str, owner: str, error: HarnessError) -> None:
        """Record a boot that ended in `error`."""
        if isinstance(error, MachineFailure):
            boot = FailedBoot(owner, error.cause, error.message, error.evidence)
        else:
            boot = FailedBoot(owner, "boot-timeout", str(error), "")
        self._home.mkdir(parents=True, exist_ok=True)
        with (self._home / kind).open(
            "a", encoding="utf-8"
        ) as file:  # one write each: lines of two processes never mix
            file.write(_LINE.dump(boot) + "\n")

    def seen(self, kind: str) -> list[FailedBoot]:
        """Return the boots of this kind that failed, oldest first."""
        try:
            lines = (self._home / kind).read_text(encoding="utf-8").splitlines()
        except FileNotFoundError:
            return []
        return [_LINE.load(line, file=self._home / kind) for line in lines]

    def check(self, kind: str, opt_out: Collection[str] = ()) -> None:
        """Raise MachineFailure when TRIES boots of this kind failed alike, by a cause not opted out of."""
        alike: dict[str, list[FailedBoot]] = {}
        for boot in self.seen(kind):
            alike.setdefault(boot.cause, []).append(boot)
        for cause, boots in alike.items():
            if len(boots) >= TRIES and cause not in opt_out:
                of = " and ".join(boot.owner for boot in boots[:TRIES])
                raise MachineFailure(
                    cause,
                    f"{boots[0].message}\nSo ended the boots for {of}; none was made for this test.",
                    evidence=boots[0].evidence,
                )

"""One test in a clone and on a machine booted for it: the same verdict?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kola.model import Verdict

_PASSED = (Verdict.PASS, Verdict.WARN, Verdict.FLAKY)


@dataclass(frozen=True)
class Comparison:
    """One test in a clone, and cold. `why` says what failed where they disagree, or why nobody knows.

    `machines` are the cold ones' directories, relative to the output directory.
    """

    name: str
    clone: Verdict
    cold: Verdict | None
    why: str = ""
    machines: tuple[Path, ...] = ()

    @property
    def known(self) -> bool:
        """Whether there was a cold machine to compare with."""
        return self.cold is not None

    @property
    def disagrees(self) -> bool:
        return self.cold is not None and (self.clone in _PASSED) != (self.cold in _PASSED)

    @property
    def sentence(self) -> str:
        """For people, in one line."""
        if self.cold is None:
            return f"{self.name} could not be verified: {self.why}"
        if not self.disagrees:
            return f"{self.name} is the same cold: {self.cold}"
        good, bad = ("in a clone", "cold") if self.clone in _PASSED else ("cold", "in a clone")
        return f"{self.name} passed {good} and failed {bad}: {self.why}"

    def to_json(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "clone": self.clone.value,
            "cold": self.cold.value if self.cold else None,
            "agrees": not self.disagrees if self.known else None,
            "why": self.why,
            "machines": [str(path) for path in self.machines],
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Comparison:
        """The inverse of `to_json`."""
        cold = Verdict(data["cold"]) if data["cold"] else None
        machines = tuple(Path(path) for path in data["machines"])
        return cls(data["name"], Verdict(data["clone"]), cold, data["why"], machines)

"""Comparison of one test's verdicts: in a clone and on a machine booted for it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from kola.cases.model import Verdict

_PASSED = (Verdict.PASS, Verdict.WARN, Verdict.FLAKY)


@dataclass(frozen=True)
class Comparison:
    """A test in a clone, and cold.

    `why` gives the failure when they disagree, or the reason why nothing is known.

    `machines` are the cold ones' directories, relative to the output directory.
    """

    name: str
    clone: Verdict
    cold: Verdict | None
    why: str = ""
    machines: tuple[Path, ...] = ()

    @property
    def known(self) -> bool:
        """True when there was a cold machine to compare with."""
        return self.cold is not None

    @property
    def disagrees(self) -> bool:
        return self.cold is not None and (self.clone in _PASSED) != (self.cold in _PASSED)

    @property
    def sentence(self) -> str:
        """The result as one line for people."""
        if self.cold is None:
            return f"{self.name} could not be verified: {self.why}"
        if not self.disagrees:
            return f"{self.name} is the same cold: {self.cold}"
        good, bad = ("in a clone", "cold") if self.clone in _PASSED else ("cold", "in a clone")
        return f"{self.name} passed {good} and failed {bad}: {self.why}"

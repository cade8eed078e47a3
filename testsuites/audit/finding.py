"""A finding: an item that breaks a rule."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from testsuites.audit.masking import masked

SHOWN = 60
"""Number of findings that a failing test names."""


@dataclass(frozen=True, order=True)
class Finding:
    """`item` breaks `rule`, as `says` explains in words.

    `profile` names the field of the distribution's profile by which it was judged, if any.
    """

    rule: str
    item: str
    says: str
    profile: str = ""

    def __str__(self) -> str:
        return f"{self.rule}: {self.item}: {masked(self.says)}"


def assert_none(findings: Iterable[Finding]) -> None:
    """Fail with one line for each finding, sorted. Reports show the first as the reason."""
    found = sorted(set(findings))
    if not found:
        return
    lines = [str(finding) for finding in found[:SHOWN]]
    if len(found) > SHOWN:
        lines.append(f"and {len(found) - SHOWN} more")
    raise AssertionError("\n".join(lines))

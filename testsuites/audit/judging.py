"""The verdict on findings: a failure, or a skipped test where the profile does not know better."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import pytest

from harness.artifact import Distro
from testsuites.audit.finding import Finding, assert_none


@dataclass(frozen=True)
class Judge:
    """Holds findings against a profile, of which some fields may be unknown.

    With `strict`, a test that depends on such a field fails (`kola run --strict-profile`).
    """

    distro: Distro
    strict: bool = False

    def __call__(self, findings: Iterable[Finding], *fields: str) -> None:
        """Fail for findings. `fields` are those of the profile by which some were judged.

        Findings of unknown fields alone skip the test, with the first of them as the reason.
        """
        unknown = {field: self.distro.unknown[field] for field in fields if field in self.distro.unknown}
        if self.strict and unknown:
            said = "; ".join(f"{field} ({why})" for field, why in sorted(unknown.items()))
            raise AssertionError(f"the profile {self.distro.name} says unknown: {said}")
        found = set(findings)
        doubtful = sorted(finding for finding in found if finding.profile in unknown)
        assert_none(found - set(doubtful))
        if doubtful:
            field = doubtful[0].profile
            pytest.skip(
                f"the profile {self.distro.name} does not know {field} ({unknown[field]}), "
                f"so this may be right: {doubtful[0]}"
            )

"""`kola run --strict-profile`: audits that depend on an unknown field of the profile fail, others do not."""

from __future__ import annotations

from pathlib import Path

import pytest
from kolarun import kola_run

pytestmark = pytest.mark.vm

DEPENDS, KNOWS = "audit.running.listeners", "audit.boot.mounts"


def test_a_profile_that_knows_everything_passes(reference: Path, tmp_path: Path) -> None:
    outcome = kola_run(reference, tmp_path / "out", "--strict-profile", DEPENDS, KNOWS)
    assert outcome.failed() == set(), outcome.printed
    assert outcome.code == 0


def test_an_unknown_field_fails_the_test_that_depends_on_it(reference: Path, tmp_path: Path) -> None:
    outcome = kola_run(reference, tmp_path / "out", "-b", "nestos", "--strict-profile", DEPENDS, KNOWS)
    assert outcome.failed() == {DEPENDS}, outcome.printed
    assert "the profile nestos says unknown: allowed_listeners (" in outcome.why(DEPENDS)
    assert outcome.code == 1

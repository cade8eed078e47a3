"""`kola run --strict-profile`: audits that depend on an unknown field of the profile fail, others do not."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest
from kolarun import kola_run

from harness.artifact.distro import NESTOS

pytestmark = pytest.mark.vm

DEPENDS, KNOWS = "audit.running.listeners", "audit.boot.mounts"


@pytest.fixture
def of_nestos(reference: Path, tmp_path: Path) -> Path:
    """The reference OS as builds of another stream, which have the profile of NestOS."""
    root = tmp_path / "root"
    shutil.copytree(reference / "builds", root / "builds", symlinks=True, copy_function=os.symlink)
    (root / "src/config").mkdir(parents=True)
    for file in root.glob("builds/12*/*/commitmeta.json"):
        meta = json.loads(file.read_text())
        file.unlink()
        file.write_text(json.dumps(meta | {NESTOS.stream_key: "stable"}))
    return root


def test_a_profile_that_knows_everything_passes(reference: Path, tmp_path: Path) -> None:
    outcome = kola_run(reference, tmp_path / "out", "--strict-profile", DEPENDS, KNOWS)
    assert outcome.failed() == set(), outcome.printed
    assert outcome.code == 0


def test_an_unknown_field_fails_the_test_that_depends_on_it(of_nestos: Path, tmp_path: Path) -> None:
    outcome = kola_run(of_nestos, tmp_path / "out", "--strict-profile", DEPENDS, KNOWS)
    assert outcome.failed() == {DEPENDS}, outcome.printed
    assert "the profile nestos says unknown: allowed_listeners (" in outcome.why(DEPENDS)
    assert outcome.code == 1

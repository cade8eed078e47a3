"""`kola testiso` on the live media of the reference OS."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from kolarun import kola_run

pytestmark = pytest.mark.vm

SMOKE = {"iso-live-login.bios", "iso-as-disk.uefi", "iso-offline-install.bios", "iso-prompt.install-file"}
VOLUME_ID = 16 * 2048 + 40  # of the primary volume descriptor, ECMA-119 8.4.7


def test_the_smoke_set_passes(live_reference: Path, tmp_path: Path) -> None:
    outcome = kola_run(
        live_reference, tmp_path / "out", "--smoke", "--parallel", "2", command="testiso", timeout=2400
    )
    assert {name: test["result"] for name, test in outcome.tests.items()} == dict.fromkeys(SMOKE, "PASS"), (
        outcome.printed
    )
    assert outcome.code == 0
    [stages] = (outcome.output / "iso-offline-install.bios").glob("*/stages.txt")
    timed = [line.rsplit(None, 2)[0] for line in stages.read_text().splitlines()]
    assert timed[-3:] == ["reboot", "installed system up", "checks"]


def test_a_wrong_volume_id_is_named(live_reference: Path, tmp_path: Path) -> None:
    (original,) = (live_reference / "builds/latest").glob("*/*-live.*.iso")
    broken = shutil.copy(original, tmp_path / "broken.iso")
    with Path(broken).open("r+b") as iso:
        iso.seek(VOLUME_ID)
        iso.write(b"NOT-THE-BUILDS".ljust(32))
    outcome = kola_run(
        live_reference, tmp_path / "out", "--qemu-iso", str(broken), "iso-prompt.volume-id", command="testiso"
    )
    assert outcome.code == 1
    assert "NOT-THE-BUILDS" in outcome.why("iso-prompt.volume-id")

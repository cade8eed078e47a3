"""The keys of templates."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from harness.ignition import IgnitionConfig
from harness.machine.boot import DiskImage, EmptyDisk, LiveIso
from harness.machine.spec import MachineSpec
from harness.platform.parts.accel import Accelerator
from harness.platform.qemu.freezer import QemuFreezer
from harness.platform.templates import Preparation, Recipe, Templates

FREEZER = QemuFreezer(Accelerator("tcg", "max", 1.0))
PLAIN = Recipe(MachineSpec(DiskImage(Path("image"))), "image", "nest", lambda access: IgnitionConfig.empty())


@pytest.fixture(autouse=True)
def qemu(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    binary = tmp_path / "qemu"
    binary.touch()
    monkeypatch.setattr("harness.platform.qemu.freezer.find_qemu", lambda arch: binary)


def prepared(identity: str) -> Recipe:
    return replace(PLAIN, preparation=Preparation(identity, lambda machine: None))


def test_what_is_done_to_a_machine_makes_it_another_template() -> None:
    keys = [recipe.key(FREEZER) for recipe in (PLAIN, prepared("a"), prepared("b"))]
    assert len(set(keys)) == len(keys)
    assert prepared("a").key(FREEZER) == keys[1]


def test_a_prepared_one_needs_the_one_it_goes_on_from() -> None:
    keys = Templates(FREEZER).keys(prepared("a"))
    assert keys == (PLAIN.key(FREEZER), prepared("a").key(FREEZER))


def test_another_iso_under_the_same_name_is_another_template(tmp_path: Path) -> None:
    iso = tmp_path / "live.iso"
    iso.write_bytes(b"one")
    recipe = replace(PLAIN, spec=MachineSpec(EmptyDisk(1), medium=LiveIso(iso)))
    before = recipe.key(FREEZER)
    assert recipe.key(FREEZER) == before
    iso.write_bytes(b"another")
    assert recipe.key(FREEZER) != before

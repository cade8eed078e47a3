"""By what a template is known."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from harness.ignition import IgnitionConfig
from harness.machine.spec import MachineSpec
from harness.platform.qemu.accel import Accelerator
from harness.platform.qemu.template import Preparation, Recipe, Templates

ACCELERATOR = Accelerator("tcg", "max", 1.0)
PLAIN = Recipe(MachineSpec(Path("image")), "image", "nest", lambda access: IgnitionConfig.empty())


@pytest.fixture(autouse=True)
def qemu(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    binary = tmp_path / "qemu"
    binary.touch()
    monkeypatch.setattr("harness.platform.qemu.template.find_qemu", lambda arch: binary)


def prepared(identity: str) -> Recipe:
    return replace(PLAIN, preparation=Preparation(identity, lambda machine: None))


def test_what_is_done_to_a_machine_makes_it_another_template() -> None:
    keys = [recipe.key(ACCELERATOR) for recipe in (PLAIN, prepared("a"), prepared("b"))]
    assert len(set(keys)) == len(keys)
    assert prepared("a").key(ACCELERATOR) == keys[1]


def test_a_prepared_one_needs_the_one_it_goes_on_from() -> None:
    keys = Templates(ACCELERATOR).keys(prepared("a"))
    assert keys == (PLAIN.key(ACCELERATOR), prepared("a").key(ACCELERATOR))

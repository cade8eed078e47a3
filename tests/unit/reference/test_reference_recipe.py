"""The recipe: what it says, and that its hash follows what decides a build and nothing else."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from harness.errors import ConfigError
from harness.reference.build.arch import ARCHES, arch_named
from harness.reference.build.recipe import HERE, load_recipe, recipe_hash

X86 = ARCHES["x86_64"]


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    target = tmp_path / "reference"
    shutil.copytree(HERE, target, ignore=shutil.ignore_patterns("__pycache__"))
    return target


def test_the_same_recipe_elsewhere_has_the_same_hash(copy: Path) -> None:
    assert recipe_hash(X86, copy) == recipe_hash(X86)


@pytest.mark.parametrize(
    "file",
    [
        "build/recipe.toml",
        "guest/overlay/etc/sudoers.d/nestos-sudo-group",
        "guest/initramfs/scripts/growfs",
        "guest/grub/grub.cfg",
    ],
)
def test_a_changed_file_changes_the_hash(copy: Path, file: str) -> None:
    with (copy / file).open("a") as text:
        text.write("\n")
    assert recipe_hash(X86, copy) != recipe_hash(X86)


def test_a_changed_program_changes_the_hash(copy: Path) -> None:
    with (copy / "build/disk.py").open("a") as text:
        text.write("_MORE = 1\n")
    assert recipe_hash(X86, copy) != recipe_hash(X86)


def test_the_words_about_a_program_do_not_change_the_hash(copy: Path) -> None:
    file = copy / "build/disk.py"
    text = file.read_text(encoding="utf-8")
    first, _, rest = text.partition("\n")
    assert first.startswith('"""')
    words = f'"""Other words."""\n# and a comment\n{rest}\n"""Of the last name."""\n'
    file.write_text(words, encoding="utf-8")
    assert recipe_hash(X86, copy) == recipe_hash(X86)


def test_a_script_that_is_no_longer_executable_changes_the_hash(copy: Path) -> None:
    (copy / "guest/initramfs/scripts/growfs").chmod(0o644)
    assert recipe_hash(X86, copy) != recipe_hash(X86)


def test_a_new_overlay_file_changes_the_hash(copy: Path) -> None:
    (copy / "guest/overlay/etc/new").write_text("")
    assert recipe_hash(X86, copy) != recipe_hash(X86)


def test_byte_code_does_not_change_the_hash(copy: Path) -> None:
    (copy / "build/__pycache__").mkdir()
    (copy / "build/__pycache__/disk.cpython.py").write_text("")
    assert recipe_hash(X86, copy) == recipe_hash(X86)


def test_architectures_have_hashes_and_packages_of_their_own() -> None:
    arm = ARCHES["aarch64"]
    assert recipe_hash(X86) != recipe_hash(arm)
    assert "linux-image-cloud-arm64" in load_recipe(arm).packages
    assert "console=ttyAMA0,115200n8" in load_recipe(arm).arguments_for("qemu")


def test_the_recipe_promises_what_nestos_does() -> None:
    recipe = load_recipe(X86)
    assert recipe.stateroot == recipe.name == "nestos"
    assert {"mitigations=auto,nosmt", "$ignition_firstboot", "ignition.platform.id=qemu"} <= set(
        recipe.arguments_for("qemu")
    )
    assert not [argument for argument in recipe.arguments_for("metal") if argument.startswith("console=")]
    older, newer = recipe.versions
    assert older.timestamp < newer.timestamp
    assert newer.packages
    assert newer.overlay != older.overlay
    assert newer.overlay.is_dir()


def test_an_unknown_architecture_is_the_users_error() -> None:
    with pytest.raises(ConfigError, match="no reference OS for vax"):
        arch_named("vax")


def test_nothing_that_is_laid_over_etc_is_removed_later() -> None:
    assert not [pattern for pattern in load_recipe(X86).tree.remove if pattern.startswith("etc")]

"""Firmware found by QEMU's JSON descriptors."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from harness.machine.spec import Firmware
from harness.platform.parts import descriptors, firmware

SECURE = ("secure-boot", "enrolled-keys", "requires-smm")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A host whose distribution, administrator and user have a directory of descriptors each."""
    system = tuple(tmp_path / name for name in ("usr", "etc"))
    for directory in (*system, tmp_path / "config/qemu/firmware"):
        directory.mkdir(parents=True)
    monkeypatch.setattr(descriptors, "_SYSTEM_DIRECTORIES", system)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    return tmp_path


def describe(
    home: Path, where: str, name: str, *features: str, machine: str = "pc-q35-*", **mapping: Any
) -> None:
    arch = "aarch64" if machine.startswith("virt") else "x86_64"
    code, variables = home / f"{name}.code", home / f"{name}.vars"
    for file in (code, variables):
        file.touch()
    images = {
        "executable": {"filename": str(code), "format": "raw"},
        "nvram-template": {"filename": str(variables), "format": "raw"},
    }
    text = {
        "interface-types": ["uefi"],
        "mapping": {"device": "flash"} | images | mapping,
        "targets": [{"architecture": arch, "machines": [machine]}],
        "features": ["acpi-s3", *features],
    }
    (home / where / f"{name}.json").write_text(json.dumps(text))


def found(kind: Firmware = Firmware.UEFI, arch: str = "x86_64") -> str | None:
    descriptor = descriptors.find(kind, arch)
    return descriptor.code.stem if descriptor else None


def test_firmware_is_chosen_by_its_features_and_the_order_of_names(home: Path) -> None:
    describe(home, "usr", "40-enrolled", *SECURE)
    describe(home, "usr", "50-empty-keys", "secure-boot", "requires-smm")
    describe(home, "usr", "60-plain")
    describe(home, "usr", "70-other")
    describe(home, "usr", "10-arm", machine="virt-*")
    assert (found(), found(Firmware.UEFI_SECURE)) == ("60-plain", "40-enrolled")
    assert found(arch="aarch64") == "10-arm"


def test_a_users_file_hides_the_distributions_of_the_same_name(home: Path) -> None:
    describe(home, "usr", "60-plain")
    describe(home, "usr", "70-other")
    (home / "etc/60-plain.json").touch()
    assert found() == "70-other"
    describe(home, "config/qemu/firmware", "60-plain")
    assert found() == "60-plain"


def test_descriptors_that_do_not_fit_are_passed_over(home: Path) -> None:
    describe(home, "usr", "10-memory", device="memory")
    describe(home, "usr", "20-combined", mode="combined")
    describe(home, "usr", "30-qcow2", executable={"filename": "x", "format": "qcow2"})
    describe(home, "usr", "40-microvm", machine="microvm")
    (home / "usr/50-broken.json").write_text("{")
    (home / "usr/55-list.json").write_text("[]")
    describe(home, "usr", "60-gone")
    (home / "60-gone.vars").unlink()
    assert found() is None
    describe(home, "usr", "70-good")
    assert found() == "70-good"


def test_what_a_descriptor_names_comes_before_known_places(home: Path) -> None:
    describe(home, "etc", "60-plain")
    files = firmware.find(Firmware.UEFI, "x86_64")
    assert files is not None
    assert (files.code, files.variables) == (home / "60-plain.code", home / "60-plain.vars")

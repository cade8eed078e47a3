"""The table of install scenarios: names, columns, and what each asks of a build."""

from __future__ import annotations

from pathlib import Path

import pytest

import testsuites.iso
from harness.machine.spec import Firmware
from kola.cases.catalog import find_tests, own_root
from kola.cases.table import Row, read_table
from testsuites.iso.scenario import Boot, Scenario, Source

X86_64 = [
    "iso-as-disk.bios",
    "iso-as-disk.uefi",
    "iso-as-disk.uefi-secure",
    "iso-as-disk.4k.uefi",
    "iso-install.bios",
    "iso-live-login.bios",
    "iso-live-login.uefi",
    "iso-live-login.uefi-secure",
    "iso-live-login.4k.uefi",
    "iso-offline-install.bios",
    "iso-offline-install.mpath.bios",
    "iso-offline-install-fromram.4k.uefi",
    "miniso-install.bios",
    "miniso-install.nm.bios",
    "miniso-install.4k.uefi",
    "miniso-install.4k.nm.uefi",
    "pxe-offline-install.bios",
    "pxe-offline-install.4k.uefi",
    "pxe-online-install.bios",
    "pxe-online-install.4k.uefi",
]
AARCH64 = [
    "iso-live-login.uefi",
    "iso-live-login.4k.uefi",
    "iso-offline-install.uefi",
    "iso-offline-install.mpath.uefi",
    "iso-offline-install-fromram.4k.uefi",
    "miniso-install.uefi",
    "miniso-install.nm.uefi",
    "miniso-install.4k.uefi",
    "miniso-install.4k.nm.uefi",
    "pxe-offline-install.uefi",
    "pxe-offline-install.4k.uefi",
    "pxe-online-install.uefi",
    "pxe-online-install.4k.uefi",
]
NEW = {"pxe-offline-install.rootfs-appended.bios"}
"""Scenarios that only upstream's kola has."""


def rows() -> list[Row]:
    path = Path(testsuites.iso.__file__).with_name("test_scenarios.py")
    shared = {"table": "scenarios.toml", "architectures": ["x86_64"]}
    return read_table(
        shared, suite="iso", module="test_scenarios", function="test_scenario", path=path, line=1
    )


@pytest.mark.parametrize(("arch", "names"), [("x86_64", X86_64), ("aarch64", AARCH64)])
def test_the_names_are_those_of_the_go_kola(arch: str, names: list[str]) -> None:
    ours = {row.info.name for row in rows() if row.info.architectures.allows(arch)}
    assert ours - NEW == set(names)


@pytest.mark.parametrize("row", rows(), ids=lambda row: row.info.name)
def test_a_name_says_what_its_columns_say(row: Row) -> None:
    name, scenario = row.info.name, Scenario.of(row)
    words = name.replace("-fromram", ".fromram").split(".")[1:]
    firmware = Firmware(next(word for word in words if word in tuple(Firmware)))
    assert scenario.boot_firmware is firmware
    assert (scenario.sectors == "4k") == ("4k" in words)
    assert scenario.multipath == ("mpath" in words)
    assert scenario.keyfile == ("nm" in words)
    assert scenario.fromram == ("fromram" in words)
    assert scenario.rootfs_appended == ("rootfs-appended" in words)
    assert scenario.installs == ("install" in name)
    assert (scenario.boot is Boot.PXE) == name.startswith("pxe-")
    assert (scenario.boot is Boot.MINISO) == name.startswith("miniso-")
    if "offline" in name:
        assert scenario.source is Source.OSMET
    assert not (scenario.boot_firmware is Firmware.BIOS and "aarch64" in row.info.architectures.words)


def test_every_scenario_of_the_suite_has_a_tag() -> None:
    tests = [test for test in find_tests(own_root()).tests if test.name.split(".")[0].split("-")[0] in (
        "iso", "miniso", "pxe")]  # fmt: skip
    assert len(tests) > len(X86_64)
    assert all("iso" in test.tags for test in tests)


def test_artifacts() -> None:
    found = {row.info.name: Scenario.of(row).artifacts() for row in rows()}
    assert found["iso-live-login.4k.uefi"] == ("live-iso",)
    assert found["iso-offline-install-fromram.4k.uefi"] == ("live-iso", "metal4k")
    assert found["pxe-online-install.bios"] == ("live-kernel", "live-initramfs", "live-rootfs", "metal")

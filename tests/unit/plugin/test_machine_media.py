"""Configs of machines that boot a live ISO."""

from __future__ import annotations

from pathlib import Path

from isolab import live_iso as made_iso
from isolab import needs_xorriso

from harness.artifact.distro import NESTOS
from harness.ignition import IgnitionConfig
from harness.installer import cpio
from harness.installer.isoimage import IsoImage
from harness.machine.boot import DiskImage
from harness.machine.spec import MachineSpec
from kola.machines.media import embedded, live_iso

pytestmark = needs_xorriso

CONFIG = IgnitionConfig.empty()


def test_the_config_is_in_the_medium_and_kernel_arguments_stay(tmp_path: Path) -> None:
    image = IsoImage(made_iso(tmp_path), NESTOS)
    spec = MachineSpec(medium=live_iso(image, "x86_64"))
    changed, given = embedded(spec, CONFIG, NESTOS)
    assert given is None
    assert spec.medium is not None
    assert changed.medium.overwrites[:-1] == spec.medium.overwrites  # type: ignore[union-attr]
    config = changed.medium.overwrites[-1]  # type: ignore[union-attr]
    assert cpio.unpack(config.data) == {"config.ign": CONFIG.to_bytes()}
    assert b"console=ttyS0,115200n8" in spec.medium.overwrites[0].data  # type: ignore[union-attr]


def test_other_machines_are_given_theirs(tmp_path: Path) -> None:
    disk = MachineSpec(DiskImage(tmp_path / "a.qcow2"))
    assert embedded(disk, CONFIG, NESTOS) == (disk, CONFIG)
    live = MachineSpec(medium=live_iso(IsoImage(made_iso(tmp_path), NESTOS), "x86_64"))
    assert embedded(live, None, NESTOS) == (live, None)

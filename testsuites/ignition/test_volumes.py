"""Volumes of the config (RAID, LUKS) hold what is written, and come back by themselves."""

from __future__ import annotations

import pytest

from harness.machine.machine import Machine
from testsuites.ignition.subjects import from_butane
from testsuites.second_boot import BOTH_BOOTS

pytestmark = [
    pytest.mark.kola(tags=["ignition", "disks"], needs=["raid", "luks"], timeout="15m"),
    pytest.mark.machine(
        ignition=from_butane("volumes.bu"),
        boot="clone",
        disks=["1G:serial=half", "1G:serial=other-half", "1G:serial=sealed"],
        swtpm=True,
    ),
    BOTH_BOOTS,
]


@pytest.mark.kola(name="ignition.raid")
def test_raid(machine: Machine, written: bool) -> None:
    """Two disks become a mirror with both halves in sync, mounted, also after a reboot."""
    mirror = machine.run("mdadm --detail --export /dev/md/kola", sudo=True).check().stdout
    assert "MD_LEVEL=raid1" in mirror
    assert "MD_DEVICES=2" in mirror
    missing = machine.run("cat /sys/block/md*/md/degraded").check().stdout.split()
    assert missing == ["0"], f"the mirror lacks halves: md/degraded says {' '.join(missing)}, not 0"
    assert machine.file("/var/kola-raid/first").text == "by Ignition"
    kind = machine.run("findmnt -no FSTYPE --mountpoint /var/kola-raid").check().stdout.strip()
    assert kind == "ext4", f"/var/kola-raid is {kind}, not ext4"
    if written:
        assert machine.file("/var/kola-raid/second").text == "by the test\n"


@pytest.mark.kola(name="ignition.luks")
def test_luks(machine: Machine, written: bool) -> None:
    """A disk is encrypted with a key the TPM holds, and opened with it again after a reboot."""
    table = machine.run("dmsetup table --target crypt", sudo=True).check().stdout
    assert table.startswith("kola:")
    assert machine.file("/var/kola-luks/first").text == "by Ignition"
    if written:
        assert machine.file("/var/kola-luks/second").text == "by the test\n"
        return
    raw = machine.run("head -c 6 /dev/disk/by-id/virtio-sealed", sudo=True).check().stdout
    assert raw.startswith("LUKS"), f"the disk begins with {raw[:16]!r}, not with LUKS"
    bound = machine.run("clevis luks list -d /dev/disk/by-id/virtio-sealed", sudo=True).check().stdout
    assert "tpm2" in bound

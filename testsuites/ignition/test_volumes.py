"""Volumes of the config (RAID, LUKS, XFS, Btrfs) hold what is written, and come back by themselves."""

from __future__ import annotations

import pytest

from harness.machine.machine import Machine
from testsuites.ignition.subjects import from_butane

pytestmark = pytest.mark.kola(tags=["ignition", "disks"])


@pytest.mark.kola(name="ignition.raid", needs=["raid"], timeout="15m")
@pytest.mark.machine(ignition=from_butane("raid.bu"), disks=["1G:serial=one", "1G:serial=two"])
def test_raid(machine: Machine) -> None:
    """Two disks become a mirror with both halves in sync, mounted, also after a reboot."""

    def check() -> None:
        mirror = machine.run("mdadm --detail --export /dev/md/kola", sudo=True).check().stdout
        assert "MD_LEVEL=raid1" in mirror
        assert "MD_DEVICES=2" in mirror
        assert machine.run("cat /sys/block/md*/md/degraded").check().stdout.split() == ["0"]
        assert machine.file("/var/kola-raid/first").text == "by Ignition"
        assert machine.run("findmnt -no FSTYPE --mountpoint /var/kola-raid").check().stdout.strip() == "ext4"

    check()
    machine.reboot()
    check()


@pytest.mark.kola(name="ignition.luks", needs=["luks"], timeout="15m")
@pytest.mark.machine(ignition=from_butane("luks.bu"), disks=["1G:serial=one"], swtpm=True)
def test_luks(machine: Machine) -> None:
    """A disk is encrypted with a key the TPM holds, and opened with it again after a reboot."""

    def check() -> None:
        table = machine.run("dmsetup table --target crypt", sudo=True).check().stdout
        assert table.startswith("kola:")
        assert machine.file("/var/kola-luks/first").text == "by Ignition"

    check()
    raw = machine.run("head -c 6 /dev/disk/by-id/virtio-one", sudo=True).check().stdout
    assert raw.startswith("LUKS")
    bound = machine.run("clevis luks list -d /dev/disk/by-id/virtio-one", sudo=True).check().stdout
    assert "tpm2" in bound
    machine.reboot()
    check()


@pytest.mark.kola(name="ignition.filesystems", timeout="15m")
@pytest.mark.machine(ignition=from_butane("filesystems.bu"), disks=["2G:serial=one"])
def test_filesystems(machine: Machine) -> None:
    """XFS and Btrfs are made on partitions, labelled and mounted, also after a reboot."""

    def check() -> None:
        for format, label in (("xfs", "first"), ("btrfs", "second")):
            shown = machine.run(f"findmnt -no FSTYPE,LABEL --mountpoint /var/kola-{format}").check().stdout
            assert shown.split() == [format, label]
            assert machine.file(f"/var/kola-{format}/first").text == "by Ignition"

    check()
    for format in ("xfs", "btrfs"):
        machine.file(f"/var/kola-{format}/second").write("by the test")
    machine.reboot()
    check()
    for format in ("xfs", "btrfs"):
        assert machine.file(f"/var/kola-{format}/second").text == "by the test"

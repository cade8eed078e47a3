"""Disks of the config are partitioned, formatted and mounted, at the first boot and at the next."""

from __future__ import annotations

import json

import pytest

from harness.machine.machine import Machine
from testsuites.ignition.subjects import DISKS
from testsuites.second_boot import BOTH_BOOTS

pytestmark = [
    pytest.mark.kola(tags=["ignition", "disks"], timeout="15m"),
    DISKS,
    BOTH_BOOTS,
]


def mounted(machine: Machine, path: str) -> tuple[str, str]:
    """The device, without its directory, and the type of the file system at a mount point."""
    found = machine.run(["findmnt", "-no", "SOURCE,FSTYPE", "--mountpoint", path]).check().stdout.split()
    return found[0].rpartition("/")[2], found[1]


def disk(machine: Machine, serial: str) -> str:
    return machine.run(f"basename $(readlink -f /dev/disk/by-id/virtio-{serial})").check().stdout.strip()


def check_files(machine: Machine, path: str, *, written: bool) -> None:
    """Check the files that Ignition wrote, and after a reboot those written later."""
    assert machine.file(f"{path}/first").text == "by Ignition"
    if written:
        assert machine.file(f"{path}/second").text == "by the test\n"


@pytest.mark.kola(name="nestos.ignition.mount.disks")
def test_a_whole_disk(machine: Machine, written: bool) -> None:
    """A disk is formatted, labelled and mounted; what is on it is there after a reboot."""
    assert mounted(machine, "/var/kola-whole") == (disk(machine, "whole"), "ext4")
    assert machine.run("lsblk -dno LABEL /dev/disk/by-id/virtio-whole").check().lines == ["kola-whole"]
    check_files(machine, "/var/kola-whole", written=written)


@pytest.mark.kola(name="nestos.ignition.mount.partitions")
def test_partitions(machine: Machine, written: bool) -> None:
    """Partitions have number, size, label and type, are formatted and mounted, also after a reboot."""
    name = disk(machine, "parts")
    columns = "NAME,SIZE,PARTLABEL,PARTTYPE,FSTYPE"
    table = machine.run(f"lsblk --json -bo {columns} /dev/{name}").check().stdout
    found = {part["name"]: part for part in json.loads(table)["blockdevices"][0]["children"]}
    assert {key: (part["partlabel"], part["size"] >> 20, part["fstype"]) for key, part in found.items()} == {
        f"{name}1": ("kola-data", 256, "ext4"),
        f"{name}2": ("kola-more", 128, "vfat"),
        f"{name}4": ("kola-swap", 64, "swap"),
    }
    assert found[f"{name}2"]["parttype"].upper() == "EBD0A0A2-B9E5-4433-87C0-68B6B72699C7"
    assert mounted(machine, "/var/kola-data") == (f"{name}1", "ext4")
    assert mounted(machine, "/var/kola-more") == (f"{name}2", "vfat")
    assert f"/dev/{name}4" in machine.run("cat /proc/swaps").check().stdout
    for path in ("/var/kola-data", "/var/kola-more"):
        check_files(machine, path, written=written)


@pytest.mark.kola(name="ignition.filesystems")
@pytest.mark.parametrize(("format", "label"), [("xfs", "first"), ("btrfs", "second")], ids=["xfs", "btrfs"])
def test_other_file_systems(machine: Machine, format: str, label: str, written: bool) -> None:
    """XFS and Btrfs are made on partitions, labelled and mounted, also after a reboot."""
    shown = machine.run(f"findmnt -no FSTYPE,LABEL --mountpoint /var/kola-{format}").check().stdout
    assert shown.split() == [format, label]
    check_files(machine, f"/var/kola-{format}", written=written)

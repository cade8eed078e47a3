"""Write permissions and owners in the file system."""

from __future__ import annotations

import pytest

from harness.machine.machine import Machine
from testsuites.support import found_by, mount_options

pytestmark = pytest.mark.kola(tags=["defaults", "filesystem"])

# Identifiers of every image before its first boot: the disk's GUID, the UUIDs of boot and root
# (coreos-assembler).
FACTORY_GUID = "00000000-0000-4000-a000-000000000001"
FACTORY_UUIDS = {"96d15588-3596-4b3c-adca-a2ff7279ea63", "910678ff-f77e-4a7d-8d53-86f2ac47a823"}


@pytest.mark.kola(guide="9.1#read-only")
@pytest.mark.parametrize("path", ["/usr", "/sysroot"])
def test_read_only(machine: Machine, path: str) -> None:
    """The deployed system cannot be changed in place, not even by root."""
    options = mount_options(machine, path)
    assert "ro" in options, f"{path} is mounted with {','.join(options)}, not read-only"
    touched = machine.run(["touch", f"{path}/kola-probe"], sudo=True)
    assert not touched.ok, f"root can write a file into {path}"
    said = touched.stderr.strip()
    assert "Read-only file system" in said, f"{path} cannot be written for another reason: {said}"


@pytest.mark.kola()
@pytest.mark.parametrize("path", ["/etc", "/var"])
def test_writable(machine: Machine, path: str) -> None:
    """Configuration and data can be written."""
    machine.run(
        f"echo kola > {path}/kola-probe && cat {path}/kola-probe && rm {path}/kola-probe", sudo=True
    ).check()


@pytest.mark.kola(name="nestos.filesystem.world-writable")
def test_no_world_writable_files(machine: Machine) -> None:
    """Nobody but its owner may write a file of the system."""
    condition = "-type f -perm -0002 -not -path '/proc/*' -not -path '/sysroot/ostree/*'"
    found = found_by(machine, "/", condition, ': > "$it"; chmod 666 "$it"')
    assert not found, f"all may write {', '.join(found)}"


@pytest.mark.kola(name="nestos.filesystem.sticky-directories")
def test_world_writable_directories_are_sticky(machine: Machine) -> None:
    """World-writable directories have the sticky bit."""
    condition = "-type d -perm -0002 -not -perm -1000 -not -path '/sysroot/ostree/*'"
    found = found_by(machine, "/ /var", condition, 'mkdir -m 777 "$it"')
    assert not found, f"all may remove files in {', '.join(found)}"


@pytest.mark.kola(name="nestos.filesystem.owners")
def test_every_file_has_an_owner(machine: Machine) -> None:
    """No file belongs to a user or group that does not exist."""
    condition = "\\( -nouser -o -nogroup \\)"
    places = "/etc /var /usr/bin /usr/lib/systemd"
    found = found_by(machine, places, condition, ': > "$it"; chown 54321:54321 "$it"')
    assert not found, f"{', '.join(found)} belongs to nobody"


@pytest.mark.kola(name="nestos.rootfs.grown")
def test_root_file_system_fills_its_disk(machine: Machine) -> None:
    """The root partition was grown to the end of the disk, and its file system with it."""
    source = machine.run("findmnt -nvo SOURCE /sysroot").check().stdout.strip()
    disk = machine.run(["lsblk", "-ndo", "PKNAME", source]).check().stdout.strip()
    size = int(machine.run(["lsblk", "-bndo", "SIZE", f"/dev/{disk}"]).check().stdout)
    block = f"/sys/class/block/{source.rpartition('/')[2]}"
    end = int(machine.run(f"echo $(( ($(cat {block}/start) + $(cat {block}/size)) * 512 ))").check().stdout)
    assert size - end < 8 * 1024 * 1024, f"{size - end} bytes of the disk lie after the root partition"
    blocks = int(machine.run("stat -fc '%b %S' /sysroot | (read a b; echo $((a * b)))").check().stdout)
    partition = int(machine.run(["lsblk", "-bndo", "SIZE", source]).check().stdout)
    assert blocks > partition * 0.85, "the file system was not grown with its partition"


@pytest.mark.kola(name="rootfs.uuid")
def test_disk_identifiers_are_unique(machine: Machine) -> None:
    """Neither the disk nor its file systems kept the identifiers every image is shipped with."""
    ids = machine.run("lsblk -nro PARTUUID | sort | grep .").check().lines
    assert len(ids) == len(set(ids)), f"two partitions have the same identifier: {' '.join(ids)}"
    guid = (
        machine.run(
            "disk=$(lsblk -ndo PKNAME $(findmnt -nvo SOURCE /sysroot)); sfdisk --disk-id /dev/$disk",
            sudo=True,
        )
        .check()
        .stdout.strip()
    )
    assert guid.lower() != FACTORY_GUID, "the disk kept the GUID of the image"
    uuids = set(machine.run("lsblk -nro UUID").check().stdout.split())
    assert not uuids & FACTORY_UUIDS, "a file system kept the UUID of the image"


@pytest.mark.kola()
def test_partitions_are_labelled(machine: Machine) -> None:
    """boot and root are found by their labels."""
    labels = machine.run("lsblk -nro LABEL").check().stdout.split()
    assert {"boot", "root"} <= set(labels)

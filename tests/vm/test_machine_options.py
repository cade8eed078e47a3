"""A machine with nearly all options at once, examined from inside."""

from __future__ import annotations

from pathlib import Path

import pytest
from machinelab import MachineLab, block_devices, paths_to

from harness.machine.machine import Machine
from harness.machine.spec import Disk, HostDirectory, QemuOptions

pytestmark = pytest.mark.vm

GIB = 1 << 30
DISKS = (
    "1G",
    "2G:channel=nvme,4k,serial=nv1",
    "3G:channel=scsi,wwn=0x5000c50015ea71aa",
    "1G:512e,serial=emulated",
    "1G:mpath,wwn=1234",
    "1G:channel=scsi,4k",
)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Two directories of the host, one to be read and one to be written."""
    found = {name: tmp_path_factory.mktemp(name) for name in ("read", "write")}
    (found["read"] / "greeting").write_text("hello\n")
    return found


@pytest.fixture(scope="module")
def loaded(lab: MachineLab, shared: dict[str, Path]) -> Machine:
    return lab.boot(
        memory_mib=1024,
        cpus=2,
        numa_nodes=True,
        swtpm=True,
        additional_nics=2,
        primary_size="+2G",
        kernel_args="kola.argument=1 kola.other=two",
        firstboot_kernel_args="kola.first=1",
        disks=tuple(Disk.parse(text) for text in DISKS),
        host_directories=(
            HostDirectory(shared["read"], "/mnt/read"),
            HostDirectory(shared["write"], "/var/lib/kola-write", writable=True),
        ),
        qemu=QemuOptions(("-smbios", "type=1,product=kola-extra")),
    )


@pytest.fixture(scope="module")
def disks(loaded: Machine) -> dict[str, dict[str, str]]:
    return block_devices(loaded)


def test_a_disk_is_virtio_unless_it_says_otherwise(disks: dict[str, dict[str, str]]) -> None:
    plain = disks["disk1"]
    assert plain["name"].startswith("vd")
    assert (plain["bytes"], plain["logical"], plain["physical"]) == (str(GIB), "512", "512")


def test_an_nvme_disk_with_sectors_of_4096_bytes_and_a_serial(disks: dict[str, dict[str, str]]) -> None:
    nvme = disks["nv1"]
    assert nvme["name"].startswith("nvme")
    assert (nvme["bytes"], nvme["logical"], nvme["physical"]) == (str(2 * GIB), "4096", "4096")


def test_a_scsi_disk_with_a_wwn(disks: dict[str, dict[str, str]]) -> None:
    scsi = disks["disk3"]
    assert scsi["name"].startswith("sd")
    assert scsi["bytes"] == str(3 * GIB)
    assert scsi["wwn"] == "0x5000c50015ea71aa"


def test_a_512e_disk(disks: dict[str, dict[str, str]]) -> None:
    assert (disks["emulated"]["logical"], disks["emulated"]["physical"]) == ("512", "4096")


def test_a_scsi_disk_with_sectors_of_4096_bytes(disks: dict[str, dict[str, str]]) -> None:
    assert disks["disk6"]["name"].startswith("sd")
    assert (disks["disk6"]["logical"], disks["disk6"]["physical"]) == ("4096", "4096")


def test_a_multipath_disk_is_there_twice_until_a_path_is_unplugged(loaded: Machine) -> None:
    paths = paths_to(loaded, "disk5")
    assert len(paths) == 2
    for name in paths:
        shown = loaded.run(f"cat /sys/block/{name}/device/vendor /sys/block/{name}/device/model").stdout
        assert shown.split() == ["NVME", "VirtualMultipath"]
        assert loaded.run(f"lsblk -dno WWN /dev/{name}").stdout.strip() == f"{1234:#018x}"
    first, second = (f"/dev/{name}" for name in paths)
    written = loaded.run(f"echo through one path | dd of={first} conv=sync,fsync bs=4096", sudo=True)
    assert written.ok
    read = loaded.run(f"dd if={second} iflag=direct bs=4096 count=1 status=none | head -c 16", sudo=True)
    assert read.stdout == "through one path"
    loaded.unplug_path(disk=5, path=0)
    loaded.poll(
        lambda: len(paths_to(loaded, "disk5")) == 1,
        timeout=20,
        step="waiting for the path to go",
        interval=0.3,
    )
    (left,) = paths_to(loaded, "disk5")
    assert loaded.run(f"dd if=/dev/{left} iflag=direct bs=4096 count=1 status=none", sudo=True).ok


def test_the_primary_disk_has_grown(
    loaded: Machine, lab: MachineLab, disks: dict[str, dict[str, str]]
) -> None:
    assert int(disks["primary-disk"]["bytes"]) == 12 * GIB
    assert int(loaded.run("df --output=size -B1 / | tail -1").stdout) > 10.5 * GIB


def test_additional_nics_have_the_addresses_of_their_own_networks(loaded: Machine) -> None:
    links = loaded.run("cat /sys/class/net/*/address").check().stdout.split()
    assert {"52:55:00:d1:56:00", "52:55:00:d1:56:01"} <= set(links)
    loaded.poll(
        lambda: all(
            word in loaded.run("ip -4 -br address").stdout for word in ("10.0.2.15", "10.0.2.31", "10.0.2.32")
        ),
        timeout=30,
        step="waiting for three addresses",
        last_seen=lambda: loaded.run("ip -4 -br address").stdout,
    )


def test_memory_and_cpus_lie_on_two_numa_nodes(loaded: Machine) -> None:
    assert loaded.run("cat /sys/devices/system/node/online").stdout.strip() == "0-1"
    assert loaded.run("nproc").stdout.strip() == "2"
    totals = loaded.run("grep -h MemTotal /sys/devices/system/node/node*/meminfo").check().lines
    sizes = [int(line.split()[3]) // 1024 for line in totals]
    assert len(sizes) == 2
    assert all(380 < size <= 512 for size in sizes), sizes


def test_kernel_arguments_come_after_those_of_the_image(loaded: Machine) -> None:
    words = loaded.run("cat /proc/cmdline").check().stdout.split()
    assert words[-2:] == ["kola.argument=1", "kola.other=two"]
    assert "kola.first=1" in words


def test_the_tpm_answers(loaded: Machine) -> None:
    assert loaded.run("cat /sys/class/tpm/tpm0/tpm_version_major").stdout.strip() == "2"
    assert loaded.file("/dev/tpmrm0").exists


def test_a_host_directory_can_be_read_but_not_written(loaded: Machine, shared: dict[str, Path]) -> None:
    assert loaded.file("/mnt/read/greeting").text == "hello\n"
    assert not loaded.run("touch /mnt/read/mine", sudo=True).ok
    # Not even by a guest that mounts it otherwise: this side allows nothing.
    loaded.run("mount -o remount,rw /mnt/read; touch /mnt/read/mine", sudo=True)
    assert [path.name for path in shared["read"].iterdir()] == ["greeting"]


def test_a_writable_host_directory_takes_files(loaded: Machine, shared: dict[str, Path]) -> None:
    loaded.file("/var/lib/kola-write/answer").write("from the guest\n")
    assert (shared["write"] / "answer").read_text() == "from the guest\n"


def test_arguments_for_qemu_reach_it(loaded: Machine) -> None:
    assert loaded.run("cat /sys/class/dmi/id/product_name").stdout.strip() == "kola-extra"


def test_after_a_reboot_only_the_first_boots_arguments_are_gone(loaded: Machine) -> None:
    loaded.reboot()
    words = loaded.run("cat /proc/cmdline").check().stdout.split()
    assert "kola.argument=1" in words
    assert "kola.first=1" not in words
    assert loaded.file("/mnt/read/greeting").text == "hello\n"

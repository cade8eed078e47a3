"""The primary disk and the firmware, in ways that decide whether a machine boots at all."""

from __future__ import annotations

import re
import time
from pathlib import Path

import pytest
from machinelab import MachineLab, block_devices, paths_to
from native4k import laid_out

from harness.errors import ConfigError, MachineFailure
from harness.machine.boot import DiskImage
from harness.machine.machine import Machine
from harness.machine.spec import Disk, Firmware

pytestmark = pytest.mark.vm


def test_uefi_multipath_512e_with_one_cpu_and_512_mib(lab: MachineLab) -> None:
    """Boots, loses a path under way, goes on, and boots again from the other one."""
    machine = lab.boot(
        firmware=Firmware.UEFI, memory_mib=512, cpus=1, primary_disk=Disk.parse(":mpath,512e").options
    )
    assert machine.file("/sys/firmware/efi").exists
    assert machine.run("nproc").stdout.strip() == "1"
    total = int(machine.run("awk '/MemTotal/ {print $2}' /proc/meminfo").stdout) // 1024
    assert 380 < total <= 512
    primary = block_devices(machine)["primary-disk"]
    assert (primary["logical"], primary["physical"]) == ("512", "4096")
    paths = paths_to(machine, "primary-disk")
    assert len(paths) == 2
    root = machine.run("lsblk -no PKNAME $(findmnt -no SOURCE /sysroot)", sudo=True).stdout.strip()
    machine.wait_for_unit("ignition-firstboot-complete.service")
    # It mounts /boot, perhaps from the other path than the root.
    machine.run("! mountpoint -q /boot || umount /boot", sudo=True).check()
    machine.unplug_path(path=1 - _path_of(machine, root))
    machine.file("/var/kola-kept").write("kept\n")
    machine.reboot("sync; systemctl reboot")
    assert machine.file("/var/kola-kept").text == "kept\n"
    assert len(paths_to(machine, "primary-disk")) == 1


def _path_of(machine: Machine, name: str) -> int:
    """Return the number of the controller of a disk. Controllers are numbered in the order of discovery."""
    links = machine.run("readlink -f /sys/block/sd*").check().lines
    hosts = {_host(link): link.endswith(f"/{name}") for link in links}
    return sorted(hosts).index(next(host for host, mine in hosts.items() if mine))


def _host(link: str) -> int:
    found = re.search(r"/host(\d+)/", link)
    assert found is not None, link
    return int(found[1])


def test_secure_boot_refuses_an_unsigned_boot_loader_and_says_so(lab: MachineLab) -> None:
    started = time.monotonic()
    machine = lab.power_on(firmware=Firmware.UEFI_SECURE)
    with pytest.raises(MachineFailure) as failure:
        machine.wait_reachable()
    assert failure.value.cause == "secure-boot-refused"
    assert time.monotonic() - started < 60 * lab.platform.scale


def test_a_disk_with_4k_sectors_needs_an_image_made_for_it(lab: MachineLab) -> None:
    for firmware, refusal in ((Firmware.UEFI, "512 bytes"), (Firmware.BIOS, "BIOS cannot boot")):
        with pytest.raises(ConfigError, match=refusal):
            lab.power_on(firmware=firmware, primary_disk=Disk.parse(":4k").options)


def test_uefi_boots_from_native_4k_sectors(lab: MachineLab, tmp_path: Path) -> None:
    """First boot and all: a table of its own for each machine, and the root grown into a larger disk."""
    machine = lab.boot(
        primary=DiskImage(laid_out(lab.image, tmp_path)),
        firmware=Firmware.UEFI,
        primary_disk=Disk.parse(":4k").options,
        primary_size="+1G",
        kernel_args="kola.native=4k",
    )
    primary = block_devices(machine)["primary-disk"]
    assert (primary["logical"], primary["physical"]) == ("4096", "4096")
    assert "kola.native=4k" in machine.run("cat /proc/cmdline").stdout.split()
    assert machine.run("findmnt -no FSTYPE /boot").stdout.strip() == "ext4"
    table = machine.run(f"sfdisk --dump /dev/{primary['name']}", sudo=True).check().stdout
    assert "sector-size: 4096" in table
    assert "00000000-0000-4000-A000-000000000001" not in table
    assert int(machine.run("df --output=size -BM / | tail -1 | tr -d ' M'").stdout) > 10 * 1024 - 300

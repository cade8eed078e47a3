"""Every source a machine can boot from, and the order among them: real firmware, boot code of a few bytes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from bootsectors import boot_sector, iso, kernel, write
from machinelab import platform_of_tests

from harness.errors import ConfigError
from harness.machine.boot import DiskImage, EmptyDisk, KernelBoot, LiveIso, NetworkBoot
from harness.machine.machine import Machine
from harness.machine.sessions import Access
from harness.machine.spec import MachineSpec
from harness.machine.ssh import SshKey
from harness.util.deadline import Deadline

pytestmark = pytest.mark.vm

PowerOn = Callable[..., Machine]


@pytest.fixture
def power_on(tmp_path: Path) -> Iterator[PowerOn]:
    platform = platform_of_tests()
    access = Access("nobody", SshKey("-", "-"), None)
    with ExitStack() as owned:

        def start(primary: Any = None, **spec: Any) -> Machine:
            instance = platform.launch(
                MachineSpec(primary, memory_mib=128, **spec),
                None,
                directory=tmp_path / "machine",
                deadline=Deadline(60 * platform.scale),
            )
            machine = Machine(instance, access, scale=platform.scale)
            owned.callback(machine.close)
            return machine

        yield start


def expect(machine: Machine, word: str) -> None:
    machine.console.expect(rf"(?m)^{word}$", timeout=60)


def test_a_cd_is_booted_when_the_disk_is_empty(power_on: PowerOn, tmp_path: Path) -> None:
    image = write(tmp_path / "live.iso", iso("cd", as_disk="hybrid"))
    expect(power_on(EmptyDisk(1), medium=LiveIso(image)), "cd")


def test_the_disk_comes_first_and_the_order_can_be_changed(power_on: PowerOn, tmp_path: Path) -> None:
    disk = write(tmp_path / "disk.raw", boot_sector("disk"))
    image = write(tmp_path / "live.iso", iso("cd", as_disk="hybrid"))
    machine = power_on(DiskImage(disk, "raw"), medium=LiveIso(image))
    expect(machine, "disk")
    machine.boot_first("medium")
    machine.instance.reset()
    expect(machine, "cd")
    machine.boot_first("primary")
    machine.instance.reset()
    expect(machine, "disk")
    with pytest.raises(ConfigError, match="cannot boot from 'nic'"):
        machine.boot_first("nic")


def test_an_iso_as_disk_boots_by_its_first_sector(power_on: PowerOn, tmp_path: Path) -> None:
    image = write(tmp_path / "live.iso", iso("cd", as_disk="hybrid"))
    before = image.read_bytes()
    expect(power_on(medium=LiveIso(image, as_disk=True)), "hybrid")
    assert image.read_bytes() == before


def test_the_network_gives_a_boot_file(power_on: PowerOn, tmp_path: Path) -> None:
    (tmp_path / "tftp").mkdir()
    (tmp_path / "tftp" / "boot.bin").write_bytes(boot_sector("network"))
    expect(power_on(EmptyDisk(1), medium=NetworkBoot("/boot.bin", tmp_path / "tftp")), "network")


def test_a_kernel_is_started_without_a_disk(power_on: PowerOn, tmp_path: Path) -> None:
    image = write(tmp_path / "vmlinuz", kernel("kernel"))
    initrd = write(tmp_path / "initrd", b"initrd")
    expect(power_on(medium=KernelBoot(image, (initrd, initrd), "console=ttyS0")), "kernel")

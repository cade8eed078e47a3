"""A system whose boot disk is mirrored by Ignition outlives the loss of one of its disks."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.butane import translate
from harness.ignition import IgnitionConfig
from harness.machine.machine import Machine

pytestmark = [
    pytest.mark.kola(tags=["misc", "disks", "boot-mirror"], architectures="x86_64", timeout="20m"),
    pytest.mark.machine(memory_mib=4096, disks=["10G:serial=second"]),
]


def config(name: str) -> IgnitionConfig:
    path = Path(__file__).with_name(name)
    return translate(path.read_text(encoding="utf-8"), files_dir=None, source=path).config


def check_mirror(machine: Machine) -> None:
    """Root and boot lie on mirrors; with one half of the root's failed the machine boots again."""
    for path in ("/sysroot", "/boot"):
        chain = machine.run(f"lsblk -nso TYPE $(findmnt -nvo SOURCE {path})").check().stdout.split()
        assert "raid1" in chain, f"{path} is on no mirror: {chain}"
    mirror = machine.run("readlink -f /dev/md/md-root", sudo=True).check().stdout.strip()
    detail = machine.run(["mdadm", "--detail", mirror], sudo=True).check().stdout
    assert "Raid Devices : 2" in detail
    member = next(line.split()[-1] for line in detail.splitlines() if "active sync" in line)
    machine.run(f"mdadm {mirror} --fail {member} && mdadm {mirror} --remove {member}", sudo=True).check()
    machine.reboot()
    assert "degraded" in machine.run(["mdadm", "--detail", mirror], sudo=True).check().stdout


@pytest.mark.kola(name="nestos.boot-mirror", needs=["boot-mirror"])
@pytest.mark.machine(ignition=config("boot-mirror.bu"))
def test_boot_mirror(machine: Machine) -> None:
    """The boot disk is mirrored at the first boot."""
    check_mirror(machine)


@pytest.mark.kola(name="nestos.boot-mirror.luks", needs=["boot-mirror", "luks"])
@pytest.mark.machine(ignition=config("boot-mirror-luks.bu"), swtpm=True)
def test_boot_mirror_with_luks(machine: Machine) -> None:
    """The boot disk is mirrored and encrypted at the first boot, with the key in the TPM."""
    assert (
        machine.run("lsblk -nso TYPE $(findmnt -nvo SOURCE /sysroot)").check().stdout.split().count("crypt")
    )
    check_mirror(machine)

"""The OpenStack image, and the config drive by which that platform hands out an Ignition config."""

from __future__ import annotations

import pytest

from harness.ignition.additions import GuestFile, kola_files
from harness.machine.boot import DiskImage
from harness.util.process import run_tool
from testsuites.iso import configs
from testsuites.iso.lab import Lab

_MARK = "/etc/kola-config-drive"


@pytest.mark.kola(
    name="openstack.config-drive",
    tags=["iso"],
    guide="6.4.4#artifacts",
    architectures=["x86_64"],
    timeout="15m",
)
def test_config_drive(lab: Lab) -> None:
    """The image boots, and Ignition applies the config that lies on the config drive."""
    image = lab.artifact("openstack")
    user_data = lab.directory / "drive/openstack/latest/user_data"
    user_data.parent.mkdir(parents=True)
    mark = kola_files([GuestFile(path=_MARK, content="config drive")])
    user_data.write_bytes(configs.merged([lab.way_in, mark]))
    drive = lab.directory / "drive.iso"
    tree = str(lab.directory / "drive")
    # The label is OpenStack's; Ignition looks for it (its provider openstack).
    run_tool(["xorriso", "-as", "mkisofs", "-quiet", "-r", "-J", "-V", "config-2", "-o", str(drive), tree])
    # fmt: off
    attached = (
        "-drive", f"if=none,id=config-drive,format=raw,readonly=on,file={drive}",
        "-device", "virtio-blk-pci,drive=config-drive",
    )
    # fmt: on
    machine = lab.new_machine(primary=DiskImage(image), ignition=None, wait=False, qemu_args=attached)
    machine.wait_reachable()
    assert machine.file(_MARK).text == "config drive"
    arguments = machine.run(["cat", "/proc/cmdline"]).check().stdout.split()
    assert "ignition.platform.id=openstack" in arguments
    machine.check_health()

"""Booting from something else than a disk image, as QEMU is told of it."""

from __future__ import annotations

import os
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from harness.errors import ConfigError
from harness.machine.boot import DiskImage, EmptyDisk, KernelBoot, LiveIso, NetworkBoot, Overwrite
from harness.machine.channels import CONSOLE, Channel, signal
from harness.machine.spec import Disk, Firmware, MachineSpec
from harness.platform.parts import media
from harness.platform.parts.accel import Accelerator
from harness.platform.parts.frozen import obstacle
from harness.platform.parts.media import MediumFile
from harness.platform.parts.storage import FreshOverlay
from harness.platform.qemu import argv
from harness.platform.qemu.argv import Descriptors, DiskFile

KVM = Accelerator("kvm", "host", 1.0)
ISO = LiveIso(Path("/iso"))


def told(spec: MachineSpec) -> list[str]:
    descriptors = Descriptors(
        qmp=3,
        channels=((CONSOLE, 4),),
        primary=DiskFile(7, "raw", spec.primary_disk, spec.boot_index("primary")) if spec.primary else None,
        medium=MediumFile(8),
    )
    return argv.build(spec, descriptors, accelerator=KVM, firmware=None)


def properties(words: list[str], kind: str) -> dict[str, str]:
    (text,) = [word for word in words if word.split(",")[0] == kind]
    return dict(word.partition("=")[::2] for word in text.split(",")[1:])


@pytest.mark.parametrize(("firmware", "drive"), [(Firmware.BIOS, "ide-cd"), (Firmware.UEFI, "scsi-cd")])
def test_an_installed_disk_comes_before_the_cd_it_was_installed_from(firmware: Firmware, drive: str) -> None:
    words = told(MachineSpec(EmptyDisk(12), medium=ISO, firmware=firmware))
    assert properties(words, "virtio-blk-pci")["bootindex"] == "1"
    cd = properties(words, drive)
    assert (cd["bootindex"], cd["drive"]) == ("3", "medium")
    assert sum("read-only=on" in word for word in words if word.startswith("driver=")) == 2
    assert any(word.startswith("virtio-scsi-pci") for word in words) is (drive == "scsi-cd")


def test_an_iso_as_disk_is_a_disk_and_may_be_written() -> None:
    words = told(MachineSpec(medium=LiveIso(Path("/iso"), as_disk=True)))
    assert properties(words, "virtio-blk-pci")["bootindex"] == "3"
    assert not any("read-only=on" in word for word in words if word.startswith("driver="))


def test_any_device_can_be_the_first() -> None:
    order = ("medium", "primary")
    words = told(MachineSpec(EmptyDisk(12), medium=ISO, boot_order=order))
    assert properties(words, "ide-cd")["bootindex"] == "1"
    assert properties(words, "virtio-blk-pci")["bootindex"] == "3"
    spec = MachineSpec(EmptyDisk(1), disks=(Disk(1),), boot_order=("disk1",))
    assert (spec.boot_index("disk1"), spec.boot_index("primary")) == (1, None)


def test_a_bios_boots_from_the_network_by_the_nics_rom(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(media, "_ROM_DIRECTORIES", ())
    boot = NetworkBoot("/pxelinux.0", Path("/srv,1"))
    with pytest.raises(ConfigError, match=r"efi-virtio\.rom") as caught:
        told(MachineSpec(EmptyDisk(12), medium=boot))
    assert caught.value.hint == "apt-get install ipxe-qemu"
    words = told(MachineSpec(EmptyDisk(12), medium=boot, firmware=Firmware.UEFI))
    assert properties(words, "virtio-net-pci") == {
        "netdev": "net0",
        "romfile": "",
        "id": "nic-device",
        "bootindex": "5",
    }
    assert any(word.endswith(",tftp=/srv,,1,bootfile=/pxelinux.0") for word in words)


def test_a_kernel_is_loaded_by_qemu_with_all_initrds_in_one(tmp_path: Path) -> None:
    for name, content in (("vmlinuz", b"kernel"), ("a", b"one"), ("b", b"two!")):
        (tmp_path / name).write_bytes(content)
    boot = KernelBoot(tmp_path / "vmlinuz", (tmp_path / "a", tmp_path / "b"), "console=ttyS0 a,b")
    spec = MachineSpec(medium=boot)
    words = told(spec)
    assert words[words.index("-append") + 1] == "console=ttyS0 a,b"
    assert words[words.index("-initrd") + 1] == "/proc/self/fd/8"
    with ExitStack() as owned:
        opened = media.open_medium(spec, FreshOverlay(), owned)
        assert opened is not None
        assert os.pread(opened.descriptor, 100, 0) == b"one\0two!"


def test_an_iso_that_is_not_there_is_named(tmp_path: Path) -> None:
    with ExitStack() as owned, pytest.raises(ConfigError, match="no ISO image"):
        media.open_medium(MachineSpec(medium=LiveIso(tmp_path / "absent.iso")), FreshOverlay(), owned)


def test_the_iso_itself_is_never_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KOLA_SCRATCH", str(tmp_path))
    iso = tmp_path / "live.iso"
    iso.write_bytes(bytes(64 * 1024))
    with ExitStack() as owned:
        spec = MachineSpec(medium=LiveIso(iso, as_disk=True, overwrites=(Overwrite(5, b"embedded"),)))
        opened = media.open_medium(spec, FreshOverlay(), owned)
        assert opened is not None
        assert opened.format == "qcow2"
        copy = tmp_path / "seen.raw"
        convert(opened.descriptor, copy)
    seen = copy.read_bytes()
    assert (seen[5:13], seen[34823:34825]) == (b"embedded", b"NO")
    assert not any(iso.read_bytes())


def convert(descriptor: int, target: Path) -> None:
    from harness.util.process import run_tool

    source = f"/proc/self/fd/{descriptor}"
    run_tool(["qemu-img", "convert", "-f", "qcow2", "-O", "raw", source, str(target)], pass_fds=[descriptor])


def test_an_initrd_that_cannot_be_copied_leaves_no_file_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("kernel", "initrd"):
        (tmp_path / name).touch()

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setenv("KOLA_SCRATCH", str(tmp_path))
    monkeypatch.setattr("shutil.copyfileobj", full)
    spec = MachineSpec(EmptyDisk(4), medium=KernelBoot(tmp_path / "kernel", (tmp_path / "initrd",)))
    before = sorted(Path("/proc/self/fd").iterdir())
    with ExitStack() as opened, pytest.raises(OSError, match="No space"):
        media.open_medium(spec, FreshOverlay(), opened)
    assert sorted(Path("/proc/self/fd").iterdir()) == before


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        ({}, "nothing to boot from"),
        ({"primary": EmptyDisk(1), "kernel_args": "quiet"}, "written into a disk image"),
        ({"primary": EmptyDisk(1), "primary_size": "2G"}, "only a disk image can be resized"),
        ({"medium": ISO, "boot_order": ("cd",)}, "no device to boot from is called 'cd'"),
        ({"medium": NetworkBoot("/x"), "network": False}, "without network cannot boot from it"),
        ({"medium": ISO, "channels": (CONSOLE, signal("a"), signal("a"))}, "same name or port"),
        ({"medium": ISO, "channels": (signal("a"),)}, "console channel"),
    ],
)
def test_a_machine_that_cannot_be_is_refused(words: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ConfigError, match=complaint):
        MachineSpec(**words)


def test_only_the_console_has_no_port() -> None:
    with pytest.raises(ConfigError, match="virtio-serial port"):
        Channel("signals", "")


def test_a_size_makes_an_empty_primary_disk_that_large() -> None:
    sized = MachineSpec(medium=ISO).with_primary(Disk.parse_primary("12G:channel=scsi"))
    assert (sized.primary, sized.primary_size) == (EmptyDisk(12), None)
    grown = MachineSpec(DiskImage(Path("/i"))).with_primary(Disk.parse_primary("12G"))
    assert grown.primary_size == "12G"


def test_a_live_system_with_a_disk_is_frozen() -> None:
    assert obstacle(MachineSpec(EmptyDisk(1), medium=ISO)) == ""


@pytest.mark.parametrize(
    ("spec", "why"),
    [
        (MachineSpec(medium=ISO), "primary disk"),
        (MachineSpec(EmptyDisk(1), medium=NetworkBoot("boot")), "network"),
        (MachineSpec(EmptyDisk(1), medium=KernelBoot(Path("kernel"))), "kernel file"),
    ],
)
def test_what_boots_otherwise_is_not_frozen(spec: MachineSpec, why: str) -> None:
    assert why in obstacle(spec)

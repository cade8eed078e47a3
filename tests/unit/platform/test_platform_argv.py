"""QEMU's command line, parsed as QEMU parses it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from harness.machine import channels
from harness.machine.boot import DiskImage
from harness.machine.spec import Disk, DiskOptions, Firmware, MachineSpec, QemuOptions
from harness.platform.parts.accel import Accelerator
from harness.platform.parts.firmware import FirmwareFiles
from harness.platform.parts.storage import MemoryFile
from harness.platform.qemu import argv
from harness.platform.qemu.argv import Descriptors, DiskFile

KVM = Accelerator("kvm", "host", 1.0)
TCG = Accelerator("tcg", "qemu64", 4.0)
CHANNELS = tuple(zip(channels.standard("com.coreos.ignition.journal"), (4, 5, 6), strict=True))
BARE = Descriptors(qmp=3, channels=CHANNELS, primary=DiskFile(7, "raw", DiskOptions()))
OVMF = FirmwareFiles(Path("/fw/code.fd"), Path("/fw/vars.fd"), "ovmf")


def options(
    *, accelerator: Accelerator = KVM, extra_disks: tuple[str, ...] = (), primary: str = "", **spec: Any
) -> dict[str, list[str]]:
    """Every option and the values it was given, in order."""
    machine = MachineSpec(DiskImage(Path("/images/disk.qcow2")), **spec)
    extra = tuple(
        DiskFile(20 + number, "raw", Disk.parse(text).options) for number, text in enumerate(extra_disks)
    )
    first = Disk.parse(f":{primary}").options if primary else DiskOptions()
    descriptors = Descriptors(
        qmp=3,
        channels=CHANNELS,
        primary=DiskFile(7, "qcow2", first, index=1),
        disks=extra,
        ignition=8,
        efi_variables=9 if machine.firmware is not Firmware.BIOS else None,
    )
    firmware = OVMF if machine.firmware is not Firmware.BIOS else None
    words = argv.build(machine, descriptors, accelerator=accelerator, firmware=firmware)
    found: dict[str, list[str]] = {"": [words[0]]}
    name = ""
    for word in words[1:]:
        if word.startswith("-"):
            name = word
            found.setdefault(name, [])
        else:
            found[name].append(word)
    return found


def device(found: dict[str, list[str]], kind: str) -> dict[str, str]:
    """The properties of the only device of that kind."""
    (text,) = [text for text in found["-device"] if text.split(",")[0] == kind]
    return dict(word.partition("=")[::2] for word in text.split(",")[1:])


def test_nothing_of_the_hosts_own_configuration_is_taken() -> None:
    found = options()
    assert {"-nodefaults", "-no-user-config", "-S"} <= set(found)
    assert found["-display"] == ["none"]


def test_memory_cpus_and_accelerator_are_as_asked_for() -> None:
    found = options(memory_mib=1536, cpus=3)
    assert (found["-m"], found["-smp"], found["-accel"], found["-cpu"]) == (
        ["1536"],
        ["3"],
        ["kvm"],
        ["host"],
    )
    assert options(accelerator=TCG)["-accel"] == ["tcg,thread=multi,tb-size=256"]


@pytest.mark.parametrize(
    ("spec", "binary", "machine"),
    [
        ({}, "qemu-system-x86_64", "pc"),
        ({"firmware": Firmware.UEFI}, "qemu-system-x86_64", "q35"),
        ({"firmware": Firmware.UEFI_SECURE}, "qemu-system-x86_64", "q35,smm=on"),
        (
            {"arch": "aarch64", "firmware": Firmware.UEFI},
            "qemu-system-aarch64",
            "virt,gic-version=max",
        ),
    ],
)
def test_each_architecture_and_firmware_has_its_machine(
    spec: dict[str, Any], binary: str, machine: str
) -> None:
    found = options(**spec)
    assert (found[""], found["-machine"]) == ([binary], [machine])


def test_firmware_code_is_read_only_and_variables_are_our_own() -> None:
    code, variables = options(firmware=Firmware.UEFI)["-drive"]
    assert "readonly=on" in code
    assert "file=/fw/code.fd" in code
    assert "file=/proc/self/fd/9" in variables
    assert "-drive" not in options()


def test_secure_boot_guards_the_flash() -> None:
    found = options(firmware=Firmware.UEFI_SECURE)["-global"]
    assert "driver=cfi.pflash01,property=secure,value=on" in found
    assert "-global" not in options(firmware=Firmware.UEFI)


def test_every_port_is_an_inherited_socket() -> None:
    found = options()
    assert found["-chardev"] == [
        "socket,id=qmp,fd=3",
        "socket,id=channel0,fd=4",
        "socket,id=channel1,fd=5",
        "socket,id=channel2,fd=6",
    ]
    assert found["-mon"] == ["chardev=qmp,mode=control"]
    assert found["-serial"] == ["chardev:channel0"]
    ports = [text for text in found["-device"] if text.startswith("virtserialport")]
    assert ["name=mantlejournal" in ports[0], "name=com.coreos.ignition.journal" in ports[1]] == [True, True]


def test_ignition_comes_through_fw_cfg() -> None:
    assert options()["-fw_cfg"] == ["name=opt/com.coreos/config,file=/proc/self/fd/8"]


def test_the_primary_disk_boots_and_is_never_flushed() -> None:
    found = options(extra_disks=("5G",))
    added, primary = [text for text in found["-device"] if text.startswith("virtio-blk-pci")]
    assert "serial=primary-disk" in primary
    assert "bootindex=1" in primary
    assert "bootindex" not in added
    assert "serial=disk1" in added
    assert "filename=/proc/self/fd/7" in found["-blockdev"][2]
    assert all("cache.no-flush=on" in text for text in found["-blockdev"] if "driver=file" in text)
    assert [text.split(",")[0] for text in found["-blockdev"]] == [
        "driver=file",
        "driver=raw",
        "driver=file",
        "driver=qcow2",
    ]


def test_additional_disks_come_before_the_primary_one_in_their_order() -> None:
    """So that they are vda and vdb in the guest, as tests written for Go's kola expect."""
    found = options(extra_disks=("1G:serial=one", "2G:serial=two"))
    disks = [text for text in found["-device"] if text.startswith("virtio-blk-pci")]
    serials = [dict(word.partition("=")[::2] for word in text.split(","))["serial"] for text in disks]
    assert serials == ["one", "two", "primary-disk"]


@pytest.mark.parametrize(
    ("words", "kind", "expected"),
    [
        ("channel=nvme", "nvme", {"serial": "primary-disk"}),
        ("channel=scsi,wwn=5", "scsi-hd", {"wwn": "5", "bus": "scsi0.0"}),
        ("4k", "virtio-blk-pci", {"logical_block_size": "4096", "physical_block_size": "4096"}),
        ("512e", "virtio-blk-pci", {"logical_block_size": "512", "physical_block_size": "4096"}),
        ("serial=mine", "virtio-blk-pci", {"serial": "mine"}),
        ("channel=nvme,serial=    foobar", "nvme", {"serial": "    foobar"}),
    ],
)
def test_a_disk_is_attached_as_its_words_say(words: str, kind: str, expected: dict[str, str]) -> None:
    found = device(options(primary=words), kind)
    assert expected.items() <= found.items()
    assert found["drive"] == "disk0"


def test_a_scsi_controller_comes_only_with_scsi_disks() -> None:
    assert "virtio-scsi-pci,id=scsi0" in options(extra_disks=("1G:channel=scsi",))["-device"]
    assert "virtio-scsi-pci,id=scsi0" not in options()["-device"]


def test_the_guest_has_no_internet_unless_it_is_asked_for() -> None:
    assert "restrict=on" in options()["-netdev"][0]
    assert "restrict=off" in options(internet=True)["-netdev"][0]


def test_ssh_is_forwarded_from_a_port_nobody_chose_and_only_for_this_host() -> None:
    assert "hostfwd=tcp:127.0.0.1:0-:22" in options()["-netdev"][0]


def test_more_network_cards_have_addresses_of_their_own() -> None:
    found = options(additional_nics=2)
    cards = [text for text in found["-device"] if text.startswith("virtio-net-pci")]
    networks = [text for text in found["-netdev"] if "id=leases" not in text]
    assert len(cards) == len(networks) == 3
    assert "net=" not in networks[0]
    assert all("net=10.0.2.0/23" in text for text in networks[1:])
    assert [text.rpartition("dhcpstart=")[2] for text in networks[1:]] == ["10.0.2.31", "10.0.2.32"]
    assert "mac=52:55:00:d1:56:00" in cards[1]
    assert "mac=52:55:00:d1:56:01" in cards[2]


def test_two_numa_nodes_share_all_memory() -> None:
    found = options(numa_nodes=True, memory_mib=1025)
    sizes = [text.partition("size=")[2] for text in found["-object"] if "mem" in text.split(",")[1]]
    assert sizes == ["512M", "513M"]
    assert len(found["-numa"]) == 2


def test_arguments_of_the_user_come_last() -> None:
    machine = MachineSpec(DiskImage(Path("/i")), qemu=QemuOptions(("-device", "mine")))
    words = argv.build(machine, BARE, accelerator=KVM, firmware=None)
    assert words[-2:] == ["-device", "mine"]
    assert "-fw_cfg" not in words


@pytest.mark.parametrize(("shared", "word"), [(True, "share=on"), (False, "share=off")])
def test_memory_in_a_file_is_the_machines_memory(shared: bool, word: str) -> None:
    machine = MachineSpec(DiskImage(Path("/i")))
    memory = MemoryFile(Path("/a,b/ram"), shared=shared)
    words = argv.build(machine, BARE, accelerator=KVM, firmware=None, memory=memory, incoming=not shared)
    backend = next(text for text in words if text.startswith("memory-backend-file"))
    assert "mem-path=/a,,b/ram," in backend
    assert word in backend
    assert "pc,memory-backend=ram" in words
    assert ("-incoming" in words) is not shared


def test_qemu_inherits_what_it_is_told_of_and_nothing_else() -> None:
    disks = (DiskFile(20, "raw", DiskOptions()),)
    assert sorted(replace(BARE, disks=disks).all()) == [3, 4, 5, 6, 7, 20]

"""The XML of a domain. Nothing here needs libvirt."""

from __future__ import annotations

import itertools
import os
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from harness.errors import ConfigError
from harness.machine.boot import DiskImage, EmptyDisk, KernelBoot, LiveIso, NetworkBoot
from harness.machine.spec import (
    Disk,
    DiskOptions,
    Firmware,
    GuestForward,
    HostDirectory,
    MachineSpec,
    QemuOptions,
    Reachable,
)
from harness.platform.hosts import HostEntry
from harness.platform.libvirt import command, domain, refusals
from harness.platform.libvirt.domain import QEMU_NAMESPACE, Identity, Labels
from harness.platform.libvirt.freezer import LibvirtFreezer
from harness.platform.libvirt.given import Files, Named
from harness.platform.libvirt.hardware import slots
from harness.platform.libvirt.host import LibvirtHost, labels_for
from harness.platform.libvirt.owners import NAMESPACE, Owner
from harness.platform.parts.accel import TCG_CPU, Accelerator
from harness.platform.parts.diskargs import DiskFile
from harness.platform.parts.firmware import FirmwareFiles
from harness.platform.parts.media import MediumFile
from harness.platform.parts.storage import MemoryFile
from harness.platform.qemu import argv
from harness.util.deadline import Deadline

IMAGE = DiskImage(Path("/images/nestos.qcow2"))
TCG = Accelerator("tcg", TCG_CPU, 2.0)
KVM = Accelerator("kvm", "host", 1.0)
OWNER = Owner("00abcd1234", "host", 1000, 0xABCD, 77)
IDENTITY = Identity("kola-00abcd1234-01", "00000000-0000-4000-8000-000000000001", OWNER)
NO_LABELS = Labels()
OVMF = FirmwareFiles(Path("/f/CODE.fd"), Path("/f/VARS.fd"), "ovmf")


def files(spec: MachineSpec, **words: Any) -> Files:
    channels = tuple((channel, Path(f"/s/c{n}")) for n, channel in enumerate(spec.channels))
    primary = DiskFile(-1, "qcow2", spec.primary_disk, spec.boot_index("primary"), "/s/disk")
    disks = tuple(DiskFile(-1, "raw", disk.options, path=f"/s/{disk.size_gib}") for disk in spec.disks)
    made = Files(channels, primary=primary if spec.primary else None, disks=disks)
    return replace(made, **words)


def build(
    spec: MachineSpec, *, accelerator: Accelerator = TCG, labels: Labels = NO_LABELS, **words: Any
) -> ElementTree.Element:
    text = domain.build(spec, files(spec, **words), identity=IDENTITY, accelerator=accelerator, labels=labels)
    return ElementTree.fromstring(text)


def line(made: ElementTree.Element) -> list[str]:
    return [word.attrib["value"] for word in made.iter(f"{{{QEMU_NAMESPACE}}}arg")]


def slot_of(element: ElementTree.Element) -> str:
    return element.find("address").attrib["slot"]  # type: ignore[union-attr]


def test_a_domain_names_its_owner() -> None:
    made = build(MachineSpec(IMAGE))
    assert made.findtext("name") == IDENTITY.name
    kola = made.find(f"metadata/{{{NAMESPACE}}}machine")
    assert kola is not None
    assert Owner.parse(ElementTree.tostring(kola, encoding="unicode")) == OWNER


def test_metadata_of_others_has_no_owner() -> None:
    assert Owner.parse("<machine run='x'/>") is None
    assert Owner.parse("no xml") is None


def test_an_owner_of_another_host_or_user_is_never_dead() -> None:
    assert not OWNER.dead


def test_the_guest_is_restricted_and_ssh_comes_in_at_a_port_that_qemu_picks() -> None:
    words = line(build(MachineSpec(IMAGE)))
    assert "user,id=net0,restrict=on,hostfwd=tcp:127.0.0.1:0-:22" in words


def test_libvirt_changes_no_files_owner() -> None:
    label = build(MachineSpec(IMAGE), labels=Labels(run_as=(1000, 100))).find("seclabel")
    assert label is not None
    assert label.attrib == {"type": "static", "model": "dac", "relabel": "no"}
    assert label.findtext("label") == "+1000:+100"


def test_confinement_is_switched_off_where_it_is_on() -> None:
    labels = [
        one.attrib for one in build(MachineSpec(IMAGE), labels=Labels(None, ("apparmor",))).iter("seclabel")
    ]
    assert labels == [{"type": "none", "model": "apparmor"}]


@pytest.mark.parametrize(
    ("models", "run_as", "unconfined"),
    [
        (("dac",), True, ()),
        (("apparmor", "dac"), True, ("apparmor",)),
        (("selinux",), False, ("selinux",)),
        (("none",), False, ()),
    ],
)
def test_labels_are_those_of_the_daemons_host(
    models: tuple[str, ...], run_as: bool, unconfined: tuple[str, ...]
) -> None:
    parts = "".join(f"<secmodel><model>{model}</model></secmodel>" for model in models)
    labels = labels_for(f"<capabilities><host>{parts}</host></capabilities>")
    assert (labels.run_as is not None, labels.unconfined) == (run_as, unconfined)


def test_a_daemon_of_roots_that_is_called_a_session_changes_no_files_owner(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    models = "<secmodel><model>none</model></secmodel><secmodel><model>dac</model></secmodel>"
    host = LibvirtHost(HostEntry("qemu+unix:///session?socket=/run/libvirt/libvirt-sock"))
    monkeypatch.setattr(LibvirtHost, "capabilities", f"<capabilities><host>{models}</host></capabilities>")
    assert host.labels.run_as == (os.geteuid(), os.getegid())


def test_the_cpu_is_the_accelerators() -> None:
    emulated = build(MachineSpec(IMAGE, cpus=2))
    assert emulated.attrib["type"] == "qemu"
    assert emulated.findtext("cpu/model") == "qemu64"
    assert "sse4.2" in {one.attrib["name"] for one in emulated.iter("feature")}
    assert emulated.find("cpu/topology").attrib["cores"] == "2"  # type: ignore[union-attr]
    native = build(MachineSpec(IMAGE), accelerator=KVM)
    assert native.attrib["type"] == "kvm"
    assert native.find("cpu").attrib["mode"] == "host-passthrough"  # type: ignore[union-attr]
    assert native.find("features/tcg") is None


@pytest.mark.parametrize(
    "spec",
    [
        MachineSpec(IMAGE),
        MachineSpec(IMAGE, disks=(Disk.parse("1G"), Disk.parse("2G:channel=scsi")), additional_nics=2),
        MachineSpec(
            IMAGE, firmware=Firmware.UEFI, disks=(Disk.parse("1G:mpath"), Disk.parse("1G:channel=nvme"))
        ),
        MachineSpec(IMAGE, display=True, host_directories=(HostDirectory(Path("/x"), "/mnt"),)),
        MachineSpec(EmptyDisk(4), medium=LiveIso(Path("/live.iso"), as_disk=True)),
    ],
    ids=["plain", "disks", "uefi", "display", "iso-disk"],
)
def test_devices_have_the_slots_that_qemu_itself_gives_them(spec: MachineSpec) -> None:
    """QEMU gives PCI devices the first free slots in the order of its command line."""
    numbers = slots(spec).numbers
    descriptors = argv.Descriptors(
        qmp=3,
        channels=tuple((channel, 4) for channel in spec.channels),
        primary=DiskFile(7, "qcow2", spec.primary_disk),
        disks=tuple(DiskFile(8, "raw", disk.options) for disk in spec.disks),
        medium=MediumFile(9) if spec.medium else None,
        host_directories=tuple(10 for _ in spec.host_directories),
    )
    words = argv.build(spec, descriptors, accelerator=TCG, firmware=None)
    devices = [word for flag, word in itertools.pairwise(words) if flag == "-device"]
    kinds = ("virtio-", "nvme", "VGA", "pcie-root-port", "vhost-user-fs-pci")
    assert len(
        [device for device in devices if device.startswith(kinds) and "virtserialport" not in device]
    ) == len(numbers)
    first = 2 if spec.firmware is Firmware.BIOS else 1
    assert sorted(numbers.values()) == list(range(first, first + len(numbers)))


def test_disks_keep_their_order_serial_and_sectors() -> None:
    spec = MachineSpec(
        IMAGE, disks=(Disk.parse("1G:serial=a b"), Disk.parse("2G:channel=scsi,512e,wwn=0x5000"))
    )
    first, second, primary = build(spec).iter("disk")
    assert (first.findtext("serial"), slot_of(first)) == ("a b", "0x05")
    assert second.find("target").attrib["bus"] == "scsi"  # type: ignore[union-attr]
    assert second.findtext("wwn") == "0000000000005000"
    blocks = second.find("blockio")
    assert blocks is not None
    assert blocks.attrib == {"logical_block_size": "512", "physical_block_size": "4096"}
    assert (primary.findtext("serial"), slot_of(primary)) == ("primary-disk", "0x06")
    assert primary.find("boot").attrib["order"] == "1"  # type: ignore[union-attr]


def test_disks_that_libvirt_does_not_have_are_qemus() -> None:
    spec = MachineSpec(
        IMAGE, primary_disk=DiskOptions(multipath=True), disks=(Disk.parse("1G:channel=nvme"),)
    )
    made = build(spec)
    assert list(made.iter("disk")) == []
    words = line(made)
    assert "virtio-scsi-pci,id=path1,bus=pci.0,addr=0x5" in words
    assert any(word.startswith("nvme,drive=disk1") and word.endswith("addr=0x6") for word in words)
    assert any(word.startswith("scsi-hd,id=disk0-path1") for word in words)


def test_uefi_has_variables_of_its_own() -> None:
    spec = MachineSpec(IMAGE, firmware=Firmware.UEFI_SECURE)
    made = build(spec, firmware=OVMF, efi_variables=Path("/s/vars"))
    assert made.find("os/type").attrib["machine"] == "q35"  # type: ignore[union-attr]
    assert made.findtext("os/loader") == "/f/CODE.fd"
    assert made.findtext("os/nvram") == "/s/vars"
    assert made.find("features/smm") is not None
    assert "pcie-root-port,id=spare,chassis=99,bus=pcie.0,addr=0x5" in line(made)


def test_ignition_is_a_file() -> None:
    made = build(MachineSpec(IMAGE), ignition=Path("/s/ignition"))
    entry = made.find("sysinfo/entry")
    assert entry is not None
    assert entry.attrib == {"name": "opt/com.coreos/config", "file": "/s/ignition"}


def test_channels_are_opened_by_name() -> None:
    made = build(MachineSpec(IMAGE))
    assert len(list(made.iter("serial"))) == 2  # the port, and the disk's
    ports = [port.find("target").attrib["name"] for port in made.iter("channel")]  # type: ignore[union-attr]
    assert ports == ["mantlejournal", "com.nestos.ignition.journal"]


@pytest.mark.parametrize("word", ["/caf\udce9/x", "a\x01b"])
def test_words_that_xml_cannot_hold_are_the_users_error(word: str) -> None:
    with pytest.raises(ConfigError, match="libvirt cannot be told"):
        build(MachineSpec(IMAGE, qemu=QemuOptions(extra_args=(word,))))
    assert line(build(MachineSpec(IMAGE, qemu=QemuOptions(extra_args=("caf\u00e9 \U0001f600\n",)))))[-1] == (
        "caf\u00e9 \U0001f600\n"
    )


def test_a_clone_has_its_templates_memory() -> None:
    memory = MemoryFile(Path("/t,x/ram"), shared=False)
    words = line(build(MachineSpec(IMAGE), memory=memory, incoming=True))
    assert "memory-backend-file,id=ram0,size=1024M,mem-path=/t,,x/ram,share=off" in words
    assert words[words.index("-incoming") + 1] == "defer"


def test_numa_nodes_share_the_memory() -> None:
    cells = [cell.attrib for cell in build(MachineSpec(IMAGE, numa_nodes=True, memory_mib=1001)).iter("cell")]
    assert [(cell["memory"], cell.get("cpus")) for cell in cells] == [("500", "0"), ("501", None)]


def test_media() -> None:
    iso = MachineSpec(EmptyDisk(4), medium=LiveIso(Path("/live.iso")))
    medium = Named(MediumFile(3), Path("/live.iso"))
    cd = next(one for one in build(iso, medium=medium).iter("disk") if one.attrib["device"] == "cdrom")
    assert cd.find("target").attrib["bus"] == "ide"  # type: ignore[union-attr]
    assert cd.find("boot").attrib["order"] == "3"  # type: ignore[union-attr]
    kernel = MachineSpec(EmptyDisk(4), medium=KernelBoot(Path("/k"), (Path("/i"),), "quiet"))
    made = build(kernel, medium=Named(MediumFile(3), Path("/s/initrd")))
    assert [made.findtext(f"os/{tag}") for tag in ("kernel", "initrd", "cmdline")] == [
        "/k",
        "/s/initrd",
        "quiet",
    ]
    pxe = MachineSpec(EmptyDisk(4), firmware=Firmware.UEFI, medium=NetworkBoot("boot", Path("/tftp")))
    assert any("tftp=/tftp,bootfile=boot" in word for word in line(build(pxe)))


@pytest.mark.parametrize(
    ("spec", "word"),
    [
        (MachineSpec(IMAGE), ""),
        (MachineSpec(IMAGE, arch="aarch64", firmware=Firmware.UEFI), "aarch64"),
        (
            MachineSpec(IMAGE, numa_nodes=True, host_directories=(HostDirectory(Path("/x"), "/mnt"),)),
            "NUMA",
        ),
        (MachineSpec(IMAGE, disks=(Disk.parse("1G:serial=a%b"),)), "serial"),
        (MachineSpec(IMAGE, disks=(Disk.parse("1G"),) * 25), "at most 25"),
        (MachineSpec(IMAGE, reachable=Reachable(forwards=(GuestForward("10.0.2.100", 80, "s"),))), "seccomp"),
    ],
)
def test_refusals_name_the_reason(spec: MachineSpec, word: str) -> None:
    reason = refusals.obstacle(spec, may_spawn=False)
    assert word in reason
    assert bool(reason) == bool(word)


def test_as_many_disks_as_there_are_names_have_names() -> None:
    spec = MachineSpec(IMAGE, disks=(Disk.parse("1G:channel=scsi"),) * 24)
    assert refusals.obstacle(spec, may_spawn=False) == ""
    assert len({one.attrib["dev"] for one in build(spec).iter("target") if "dev" in one.attrib}) == 25


def test_a_template_is_refused_as_a_machine_is(tmp_path: Path) -> None:
    """`kola spawn --disk` clones machines that no test asks for."""
    freezer = LibvirtFreezer(LibvirtHost(HostEntry("qemu:///system")))
    spec = MachineSpec(IMAGE, disks=(Disk.parse("1G:serial=a%b"),))
    with pytest.raises(ConfigError, match="serial"):
        freezer.boot(spec, None, home=tmp_path, deadline=Deadline(1), pad_to=None)


def test_services_are_possible_where_qemu_may_start_processes() -> None:
    spec = MachineSpec(IMAGE, reachable=Reachable(forwards=(GuestForward("10.0.2.100", 80, "s"),)))
    assert refusals.obstacle(spec, may_spawn=True) == ""
    assert any("guestfwd=" in word for word in command.arguments(spec, files(spec)))

"""Cloneable machines, QEMU's arguments for disks and host directories, messages of the firmware."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from harness.errors import ConfigError
from harness.machine.boot import DiskImage
from harness.machine.incidents import Incidents
from harness.machine.monitor import StreamMonitor
from harness.machine.spec import Disk, DiskOptions, HostDirectory, MachineSpec, QemuOptions
from harness.machine.streams import Tail
from harness.platform.parts import diskargs, hostdirs, tpm
from harness.platform.parts.accel import Accelerator
from harness.platform.parts.diskargs import DiskFile
from harness.platform.parts.frozen import obstacle
from harness.platform.qemu import argv
from harness.platform.qemu.argv import Descriptors

KVM = Accelerator("kvm", "host", 1.0)


def spec(**words: Any) -> MachineSpec:
    if "disks" in words:
        words["disks"] = tuple(Disk.parse(text) for text in words["disks"])
    if "primary" in words:
        words["primary_disk"] = Disk.parse(":" + words.pop("primary")).options
    return MachineSpec(DiskImage(Path("/i")), **words)


@pytest.mark.parametrize(
    "words",
    [
        {},
        {"swtpm": True, "additional_nics": 2, "kernel_args": "one"},
        {"disks": ["1G", "1G:mpath", "1G:channel=scsi,4k"], "primary": "mpath,512e"},
        {"memory_mib": 512, "cpus": 4, "primary_size": "+1G"},
    ],
)
def test_what_can_be_cloned(words: dict[str, Any]) -> None:
    assert obstacle(spec(**words)) == ""


@pytest.mark.parametrize(
    ("words", "why"),
    [
        ({"primary": "channel=nvme"}, "NVMe"),
        ({"disks": ["1G:channel=nvme"]}, "NVMe"),
        ({"numa_nodes": True}, "NUMA"),
        ({"host_directories": (HostDirectory(Path("/"), "/mnt/x"),)}, "host directory"),
        ({"qemu": QemuOptions(("-device", "x"))}, "extra QEMU arguments"),
        ({"firstboot_kernel_args": "ip=dhcp"}, "first boot"),
        ({"network": False}, "network"),
    ],
)
def test_what_forces_a_cold_boot_and_why(words: dict[str, Any], why: str) -> None:
    assert why in obstacle(spec(**words))


def test_two_paths_lead_to_one_image() -> None:
    options = Disk.parse("1G:mpath,wwn=77,serial=both").options
    words = diskargs.build(DiskFile(7, "qcow2", DiskOptions()), [DiskFile(8, "raw", options)])
    paths = [text for text in words if text.startswith("scsi-hd")]
    assert [f"id=disk1-path{number},bus=path{number}.0" in text for number, text in enumerate(paths)] == [
        True,
        True,
    ]
    for text in paths:
        assert "drive=disk1,share-rw=on,vendor=NVME,product=VirtualMultipath,serial=both,wwn=77" in text
    assert sum(text.startswith("driver=raw,node-name=disk1,") for text in words) == 1


def test_a_multipath_disk_boots_from_either_path() -> None:
    words = diskargs.build(DiskFile(7, "qcow2", DiskOptions(multipath=True), index=1), [])
    paths = [text for text in words if text.startswith("scsi-hd")]
    assert [text.rpartition("bootindex=")[2] for text in paths] == ["1", "2"]


@pytest.mark.parametrize(
    "text",
    ["1G:wwn=5", "1G:channel=nvme,wwn=5", "1G:channel=nvme,mpath", "1G:channel=nvme,512e", "1G:mpath,wwn=0"],
)
def test_disks_that_cannot_be_are_refused(text: str) -> None:
    with pytest.raises(ConfigError, match=text):
        Disk.parse(text)


def test_a_serial_must_fit_and_not_end_the_argument() -> None:
    for serial in ("x" * 21, "tab\t", "ä ö"):
        with pytest.raises(ConfigError, match="serial"):
            Disk.parse(f"1G:serial={serial}")


def built(**words: Any) -> list[str]:
    directories = tuple(range(30, 30 + len(words.get("host_directories", ()))))
    descriptors = Descriptors(
        qmp=3,
        channels=(),
        primary=DiskFile(7, "qcow2", DiskOptions()),
        tpm=20 if words.get("swtpm") else None,
        host_directories=directories,
    )
    assert set(directories) <= set(descriptors.all())
    return argv.build(spec(**words), descriptors, accelerator=KVM, firmware=None)


def test_host_directories_need_memory_that_another_process_can_map() -> None:
    directories = (HostDirectory(Path("/"), "/mnt/a"), HostDirectory(Path("/"), "/mnt/b"))
    words = built(host_directories=directories)
    assert "memory-backend-memfd,id=ram,share=on,size=1024M" in words
    assert "pc,memory-backend=ram" in words
    assert [word for word in words if word.startswith("vhost-user-fs-pci")] == [
        "vhost-user-fs-pci,chardev=host0,tag=kola-host0",
        "vhost-user-fs-pci,chardev=host1,tag=kola-host1",
    ]
    both = built(host_directories=directories, numa_nodes=True)
    assert "memory-backend-memfd,id=mem1,share=on,size=512M" in both


def test_without_network_there_is_no_nic() -> None:
    assert not [word for word in built(network=False) if "net" in word]


def test_the_tpm_is_an_inherited_socket() -> None:
    words = built(swtpm=True)
    assert "socket,id=tpm,fd=20" in words
    assert "tpm-tis,tpmdev=tpm0" in words


@pytest.mark.parametrize(
    ("mount", "unit"),
    [
        ("/var/data", "var-data.mount"),
        ("/mnt/with-dash", "mnt-with\\x2ddash.mount"),
        ("/var/lib/.hidden", "var-lib-.hidden.mount"),
    ],
)
def test_a_mount_unit_is_named_as_systemd_demands(mount: str, unit: str) -> None:
    assert hostdirs.unit_name(mount) == unit


def test_mounts_lie_where_links_of_an_ostree_system_lead() -> None:
    config = hostdirs.mounts(
        [HostDirectory(Path("/"), "/mnt/data"), HostDirectory(Path("/"), "/var/w", True)]
    )
    units = {unit["name"]: unit["contents"] for unit in config.to_dict()["systemd"]["units"]}
    assert "Where=/var/mnt/data\n" in units["var-mnt-data.mount"]
    assert "Options=ro\n" in units["var-mnt-data.mount"]
    assert "Options" not in units["var-w.mount"]


@pytest.mark.parametrize("mount", ["relative", "/", "/a/../b"])
def test_a_mount_point_is_an_absolute_path(mount: str) -> None:
    with pytest.raises(ConfigError, match="cannot be mounted"):
        hostdirs.mounts([HostDirectory(Path("/"), mount)])


def test_a_directory_that_is_none_is_named(tmp_path: Path) -> None:
    with ExitStack() as owned, pytest.raises(ConfigError, match="no directory"):
        hostdirs.start(HostDirectory(tmp_path / "absent", "/mnt/x"), owned)


def test_a_host_without_swtpm_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    assert not tpm.available()
    with ExitStack() as owned, pytest.raises(ConfigError, match="swtpm"):
        tpm.start(owned)


@pytest.mark.skipif(not tpm.available(), reason="this host has no swtpm")
def test_swtpm_takes_commands_and_ends_with_its_owner() -> None:
    with ExitStack() as owned:
        control = tpm.start(owned)
        with control:
            control.settimeout(20)
            control.sendall(b"\0\0\0\1")  # CMD_GET_CAPABILITY
            assert len(control.recv(64)) >= 8
    with pytest.raises(OSError, match="descriptor"):
        control.send(b"\0")


@pytest.mark.parametrize(
    ("line", "name"),
    [
        (
            'BdsDxe: failed to load Boot0001 "UEFI Misc Device" from Pci(0x3,0x0): Access Denied',
            "secure-boot-refused",
        ),
        ('BdsDxe: failed to start Boot0001 "x" from Pci(0x3,0x0): Security Violation', "secure-boot-refused"),
        ("BdsDxe: No bootable option or device was found.", "no-boot-device"),
        ('BdsDxe: starting Boot0002 "EFI Internal Shell" from Fv(7CB8)', "no-boot-device"),
    ],
)
def test_a_firmwares_refusal_ends_the_wait(line: str, name: str) -> None:
    incidents = Incidents()
    watch = StreamMonitor(incidents, Tail())
    first, second = line.encode()[:30], line.encode()[30:]
    watch.console(first)
    assert incidents.fatal is None
    watch.console(second + b"\r\n")
    assert incidents.fatal is not None
    assert incidents.fatal.cause == name


def test_a_guest_whose_timer_got_no_time_is_not_blamed() -> None:
    incidents = Incidents()
    watch = StreamMonitor(incidents, Tail())
    watch.console(
        b"[    0.028000] Kernel panic - not syncing: IO-APIC + timer doesn't work!  Boot with apic=debug\n"
    )
    assert incidents.fatal is not None
    assert (incidents.fatal.cause, incidents.fatal.infrastructure) == ("host-too-busy", True)


def test_a_guest_that_quotes_its_firmware_is_not_refused() -> None:
    incidents = Incidents()
    watch = StreamMonitor(incidents, Tail())
    watch.console(b"[    0.000000] Linux version 6.6\r\n")
    watch.console(b"BdsDxe: No bootable option or device was found.\r\n")
    assert incidents.fatal is None
    watch.firmware_starts()
    watch.console(b"BdsDxe: No bootable option or device was found.\r\n")
    assert incidents.fatal is not None

"""Verdicts on the health probe's answers, incidents, and senseless specs."""

from __future__ import annotations

import json
import subprocess
import threading
from pathlib import Path

import pytest

from harness.errors import ConfigError, InfrastructureError, MachineFailure
from harness.machine.boot import DiskImage
from harness.machine.health import PROBE, WAIT_FOR_BOOT, Report, of_incidents, of_journal
from harness.machine.incidents import Incident, Incidents
from harness.machine.journal import Journal
from harness.machine.spec import Disk, DiskChannel, Firmware, MachineSpec, SectorSize
from harness.machine.ssh import SshKey

WELL = "@state\nrunning\n@failed\n@activating\n@coredumps\n"


def names(text: str) -> list[str]:
    return [finding.cause for finding in Report.parse(text).findings()]


def test_a_well_guest_gives_no_findings() -> None:
    assert names(WELL) == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("@state\ndegraded\n@failed\na.service loaded failed failed A\n● b.mount x\n", ["failed-unit"] * 2),
        ("@state\ndegraded\n", ["system-state"]),
        ("@state\nmaintenance\n", ["system-state"]),
        ("@state\nstarting\n", []),
        ("@state\nstarting\n@failed\na.service loaded failed failed A\n", ["failed-unit"]),
        ("", ["system-state"]),
        (
            WELL.replace("@activating\n", "@activating\na.service 2\nb.service 1\nc.service \n"),
            ["restart-loop"],
        ),
        (WELL + "core.a\n", ["core-dump"]),
    ],
)
def test_each_section_is_judged(text: str, expected: list[str]) -> None:
    assert names(text) == expected


def test_a_failed_unit_is_named_without_its_bullet() -> None:
    report = Report.parse("@state\ndegraded\n@failed\n● b.mount loaded failed failed /b\n")
    assert report.failed == ("b.mount",)


def test_console_and_journal_saying_the_same_count_once() -> None:
    shown = Incident("kernel-oops", "kernel oops: [   12.345678] BUG: Oops: 0002", "console line 9")
    logged = Incident("kernel-oops", "kernel oops: kernel: BUG: Oops: 0002", "journal line 4")
    other = Incident("kernel-oops", "kernel oops: BUG: Oops: 0003", "console line 10")
    assert len(of_incidents([shown, shown])) == 1
    assert len(of_incidents([shown, other])) == 2
    assert len(of_incidents([shown, logged])) == 1


def test_denials_are_found_from_a_position_on() -> None:
    journal = Journal(None)
    denial = "audit: type=1400 avc:  denied  { read } for  pid=1"
    journal.add_line(json.dumps({"MESSAGE": denial}).encode())
    assert [finding.cause for finding in of_journal(journal, 0)] == ["avc-denial"]
    assert of_journal(journal, journal.position) == []


def test_the_first_fatal_incident_counts_and_wakes() -> None:
    incidents = Incidents()
    incidents.report(Incident("segfault", "a program", "journal"))
    assert incidents.fatal is None
    assert not incidents.wake.is_set()
    threading.Timer(0.02, incidents.report, [Incident("kernel-panic", "it", "console", fatal=True)]).start()
    assert incidents.wake.wait(10)
    incidents.report(Incident("qemu-exited", "gone", "QEMU", fatal=True, infrastructure=True))
    assert incidents.fatal is not None
    assert incidents.fatal.cause == "kernel-panic"
    assert len(incidents.take()) == 3
    assert incidents.take() == []
    assert incidents.fatal is not None, "taking note of it does not bring the machine back"


def test_incidents_become_the_error_of_who_has_to_act() -> None:
    mine = Incident("qemu-exited", "gone", "QEMU", infrastructure=True).error("last line")
    guests = Incident("kernel-panic", "it died", "console").error()
    assert isinstance(mine, InfrastructureError)
    assert (mine.cause, mine.evidence) == ("qemu-exited", "last line")
    assert isinstance(guests, MachineFailure)
    assert guests.cause == "kernel-panic"


@pytest.mark.parametrize(
    ("text", "size", "channel", "sectors"),
    [
        ("10G", 10, DiskChannel.VIRTIO, SectorSize.NATIVE_512),
        ("10", 10, DiskChannel.VIRTIO, SectorSize.NATIVE_512),
        ("5G:channel=nvme", 5, DiskChannel.NVME, SectorSize.NATIVE_512),
        ("5G:4k,channel=scsi", 5, DiskChannel.SCSI, SectorSize.NATIVE_4K),
        (":512e", None, DiskChannel.VIRTIO, SectorSize.EMULATED_512),
    ],
)
def test_disks_in_kolas_words(text: str, size: int | None, channel: DiskChannel, sectors: SectorSize) -> None:
    disk = Disk.parse(text)
    assert (disk.size_gib, disk.options.channel, disk.options.sectors) == (size, channel, sectors)


def test_disk_names_and_paths() -> None:
    options = Disk.parse("1G:mpath,serial=abc,wwn=0x5000").options
    assert (options.multipath, options.serial, options.wwn) == (True, "abc", 0x5000)


@pytest.mark.parametrize("text", ["big", "0G", "1M", "1G:fast", "1G:channel=ide", "1G:wwn=x", "1G:serial="])
def test_a_disk_that_is_none_is_quoted_back(text: str) -> None:
    with pytest.raises(ConfigError, match=text):
        Disk.parse(text)


def test_specs_that_boot_nothing() -> None:
    with pytest.raises(ConfigError, match="MiB"):
        MachineSpec(DiskImage(Path("x")), memory_mib=2)
    with pytest.raises(ConfigError, match="CPU"):
        MachineSpec(DiskImage(Path("x")), cpus=0)
    with pytest.raises(ConfigError) as caught:
        Firmware.parse("openboot")
    assert "uefi-secure" in str(caught.value.hint)


def test_keys_are_pairs_openssh_reads() -> None:
    key = SshKey.generate("somebody")
    assert key.public.startswith("ssh-ed25519 ")
    assert key.public.endswith(" somebody")
    assert key.paramiko().asbytes() == key.blob
    assert SshKey.generate("somebody").blob != key.blob


SYSTEMCTL = """#!/bin/sh
case "$*" in
is-system-running) cat "$WORLD/state" ;;
"is-system-running --wait")
    echo >> "$WORLD/waits"
    cat "$WORLD/waited"
    [ -s "$WORLD/waited" ] || exec sleep 0.1 ;;
list-jobs*) cat "$WORLD/jobs" ;;
list-units*) cat "$WORLD/units" ;;
"show -p NRestarts --value "*) echo 3 ;;
*) exit 1 ;;
esac
"""


def probed(world: Path, state: str, waited: str = "", units: str = "", limits: str = "") -> Report:
    """The output of PROBE for a guest whose systemctl answers this."""
    program = world / "systemctl"
    program.write_text(SYSTEMCTL)
    program.chmod(0o755)
    jobs = "12 slow.service start running\n13 later.target start waiting\n"
    for name, content in (("state", state), ("waited", waited), ("units", units), ("jobs", jobs)):
        (world / name).write_text(content)
    env = {"PATH": f"{world}:/usr/bin:/bin", "WORLD": str(world)}
    said = subprocess.run(
        ["sh", "-c", limits + WAIT_FOR_BOOT + PROBE], env=env, capture_output=True, text=True, check=True
    )
    assert said.stderr == ""
    return Report.parse(said.stdout)


@pytest.mark.parametrize(
    ("state", "waited", "judged"),
    [
        ("degraded\n", "", "degraded"),
        ("starting\n", "running\n", "running"),
        ("starting\n", "", "starting"),
    ],
    ids=["up", "waited for", "not waited for without end"],
)
def test_the_probe_names_states_and_units(tmp_path: Path, state: str, waited: str, judged: str) -> None:
    units = (
        "a.service loaded failed failed A unit\n"
        "b.service loaded activating auto-restart B\n"
        "c.service not-found failed failed C\n"
    )
    report = probed(tmp_path, state, waited, units)
    assert report.state == judged
    assert report.failed == ("a.service", "c.service")
    assert report.restarting == (("b.service", 3),)
    left = "the guest is still starting: slow.service runs, 1 more wait for others"
    assert report.still_starting == (left if judged == "starting" else "")


@pytest.mark.parametrize(("limits", "most"), [("", 12), ("most=2 enough=9", 2)])
def test_a_boot_that_never_ends_is_waited_for_in_slices(tmp_path: Path, limits: str, most: int) -> None:
    assert probed(tmp_path, "starting\n", limits=limits).state == "starting"
    assert 2 <= len((tmp_path / "waits").read_text().splitlines()) <= most


def test_the_probe_of_a_machine_that_is_well_finds_nothing(tmp_path: Path) -> None:
    assert probed(tmp_path, "running\n").findings() == []


def test_a_boot_that_was_waited_for_is_asked_but_not_waited_for_again(tmp_path: Path) -> None:
    assert "--wait" not in PROBE
    assert "--wait" in WAIT_FOR_BOOT


MOUNTS = """@mounts
22 1 254:4 /deploy/x / rw,relatime shared:1 - ext4 /dev/vda4 {}
23 22 254:4 / /sysroot ro,relatime shared:1 - ext4 /dev/vda4 {}
24 22 254:4 /var /var {},relatime shared:1 - ext4 /dev/vda4 rw
25 22 254:3 / /boot ro,relatime - ext4 /dev/vda3 ro
26 22 7:1 / /usr ro,relatime - erofs /dev/loop1 ro
"""


@pytest.mark.parametrize(
    ("superblock", "var", "found"),
    [
        ("rw,seclabel", "rw", []),
        ("ro,seclabel,errors=remount-ro", "rw", ["/", "/sysroot"]),
        ("rw", "ro", ["/var"]),
    ],
    ids=["as it should be", "the kernel gave up on the disk", "somebody remounted /var"],
)
def test_a_system_disk_that_became_read_only_is_a_warning(
    superblock: str, var: str, found: list[str]
) -> None:
    report = Report.parse(WELL + MOUNTS.format(superblock, superblock, var))
    assert list(report.read_only) == found
    assert {(finding.cause, finding.warn_only) for finding in report.findings()} <= {
        ("read-only-filesystem", True)
    }
    assert len(report.findings()) == len(found)


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("/var 5ac1 4096 2400000 1200000 600000 500000", []),
        ("/var 5ac1 4096 2400000 3 600000 500000", ["the disk under /var is full: 12 KiB of 9375 MiB left"]),
        (
            "/tmp 1 4096 250000 250000 1000 0",
            ["the disk under /tmp is full: none of its 1000 inodes is left"],
        ),
        ("/boot 2 512 100000 90000 0 0", []),
        ("stat: cannot read it", []),
    ],
    ids=["space enough", "no space", "no inodes", "a file system without inodes", "no row"],
)
def test_a_full_disk_is_a_warning_once_for_each_disk(row: str, said: list[str]) -> None:
    report = Report.parse(f"{WELL}@space\n{row}\n{row}\n")
    found = report.findings()
    assert [finding.message for finding in found] == said
    assert all((finding.cause, finding.warn_only) == ("disk-full", True) for finding in found)

"""Kernel arguments in a disk image: a real GPT with a real ext4, no guest."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.errors import ConfigError
from harness.platform.parts import bootargs, disks, partition
from harness.platform.parts.filesystem import ExtFiles

MIB = 1 << 20
ENTRY = "title NestOS\noptions root=LABEL=root rw\nlinux /vmlinuz\n"


def image(path: Path, *, entries: dict[str, str], first_boot: bool = True, label: str = "boot") -> Path:
    """A raw disk with a boot partition that holds these entries."""
    content = path.parent / "content"
    (content / "loader.0/entries").mkdir(parents=True)
    (content / "loader").symlink_to("loader.0")
    for name, text in entries.items():
        (content / "loader.0/entries" / name).write_text(text)
    if first_boot:
        (content / "ignition.firstboot").touch()
    path.write_bytes(b"")
    os.truncate(path, 24 * MIB)
    table = f"label: gpt\nstart=1MiB, size=2MiB, name=other\nstart=4MiB, size=16MiB, name={label}\n"
    subprocess.run(["sfdisk", "--quiet", path], input=table.encode(), check=True)
    subprocess.run(
        ["mke2fs", "-q", "-F", "-t", "ext4", "-d", content, "-E", f"offset={4 * MIB}", path, "16M"],
        check=True,
        capture_output=True,
    )
    return path


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[list[int]]:
    monkeypatch.setenv("KOLA_SCRATCH", str(tmp_path / "scratch"))
    found: list[int] = []
    yield found
    for descriptor in found:
        os.close(descriptor)


def overlay(opened: list[int], path: Path) -> int:
    opened.append(disks.create_overlay(path, "raw"))
    return opened[-1]


def boot_files(opened: list[int], descriptor: int) -> ExtFiles:
    boot = partition.read_table(descriptor).named("boot")
    assert boot is not None
    opened.append(partition.copy_out(descriptor, boot))
    done = subprocess.run(
        ["e2fsck", "-fn", f"/proc/self/fd/{opened[-1]}"], pass_fds=[opened[-1]], capture_output=True
    )
    assert done.returncode == 0, done.stdout
    return ExtFiles(opened[-1])


def test_both_kinds_of_arguments_end_in_the_overlay_alone(opened: list[int], tmp_path: Path) -> None:
    base = image(tmp_path / "disk.raw", entries={"ostree-1-nestos.conf": ENTRY})
    untouched = base.read_bytes()
    descriptor = overlay(opened, base)
    bootargs.insert(descriptor, kernel="one=1 two", firstboot="ip=dhcp rd.neednet=1")
    files = boot_files(opened, descriptor)
    entry = files.read("/loader/entries/ostree-1-nestos.conf").decode()
    assert entry == ENTRY.replace("rw\n", "rw one=1 two\n")
    assert files.read("/ignition.firstboot") == b'set ignition_network_kcmdline="ip=dhcp rd.neednet=1"\n'
    assert base.read_bytes() == untouched


def test_extended_attributes_stay(opened: list[int], tmp_path: Path) -> None:
    base = image(tmp_path / "disk.raw", entries={"ostree-1.conf": ENTRY})
    whole = base.read_bytes()
    alone = tmp_path / "boot.raw"
    alone.write_bytes(whole[4 * MIB : 20 * MIB])
    label = "system_u:object_r:boot_t:s0"
    request = f"ea_set /loader/entries/ostree-1.conf security.selinux {label}"
    subprocess.run(["debugfs", "-w", "-R", request, alone], check=True, capture_output=True)
    base.write_bytes(whole[: 4 * MIB] + alone.read_bytes() + whole[20 * MIB :])
    descriptor = overlay(opened, base)
    bootargs.insert(descriptor, kernel="one", firstboot="")
    boot_files(opened, descriptor)
    shown = subprocess.run(
        [
            "debugfs",
            "-R",
            "ea_get /loader/entries/ostree-1.conf security.selinux",
            f"/proc/self/fd/{opened[-1]}",
        ],
        pass_fds=[opened[-1]],
        capture_output=True,
        text=True,
    )
    assert label in shown.stdout


def test_a_file_may_grow_over_many_blocks(opened: list[int], tmp_path: Path) -> None:
    descriptor = overlay(opened, image(tmp_path / "disk.raw", entries={"ostree-1.conf": ENTRY}))
    long = " ".join(f"argument{number}=value" for number in range(1000))
    bootargs.insert(descriptor, kernel=long, firstboot="")
    assert long in boot_files(opened, descriptor).read("/loader/entries/ostree-1.conf").decode()


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        ({}, "has none"),
        ({"other.conf": ENTRY}, "has none"),
        ({"ostree-1.conf": ENTRY, "ostree-2.conf": ENTRY}, "ostree-1.conf, ostree-2.conf"),
        ({"ostree-1.conf": "title NestOS\n"}, "no options line"),
    ],
)
def test_an_image_without_its_one_entry_is_named(
    opened: list[int], tmp_path: Path, entries: dict[str, str], message: str
) -> None:
    descriptor = overlay(opened, image(tmp_path / "disk.raw", entries=entries))
    with pytest.raises(ConfigError, match=message):
        bootargs.insert(descriptor, kernel="one", firstboot="")


def test_an_image_that_was_booted_takes_no_first_boot_arguments(opened: list[int], tmp_path: Path) -> None:
    base = image(tmp_path / "disk.raw", entries={"ostree-1.conf": ENTRY}, first_boot=False)
    with pytest.raises(ConfigError, match="booted already"):
        bootargs.insert(overlay(opened, base), kernel="", firstboot="one")


def test_an_image_without_a_boot_partition_is_named(opened: list[int], tmp_path: Path) -> None:
    base = image(tmp_path / "disk.raw", entries={}, label="data")
    with pytest.raises(ConfigError, match="no partition named boot"):
        bootargs.insert(overlay(opened, base), kernel="one", firstboot="")


def test_an_image_without_a_table_is_named(opened: list[int], tmp_path: Path) -> None:
    base = tmp_path / "disk.raw"
    base.write_bytes(bytes(MIB))
    with pytest.raises(ConfigError, match="no GUID partition table"):
        bootargs.insert(overlay(opened, base), kernel="one", firstboot="")


@pytest.mark.parametrize("text", ['a"b', "a\nb", "ä"])
def test_arguments_that_would_break_the_entry_are_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="kernel arguments"):
        bootargs.check(text)


def test_another_file_system_asks_for_guestfish(
    opened: list[int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    base = image(tmp_path / "disk.raw", entries={"ostree-1.conf": ENTRY})
    with base.open("r+b") as disk:
        disk.seek(4 * MIB)
        disk.write(b"XFSB".ljust(2048, b"\0"))
    monkeypatch.setattr("shutil.which", lambda name: None if name == "guestfish" else f"/usr/bin/{name}")
    with pytest.raises(ConfigError, match="guestfish"):
        bootargs.insert(overlay(opened, base), kernel="one", firstboot="")


def test_guestfish_is_told_what_to_read_and_write(
    opened: list[int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    base = image(tmp_path / "disk.raw", entries={"ostree-1.conf": ENTRY})
    with base.open("r+b") as disk:
        disk.seek(4 * MIB)
        disk.write(b"XFSB".ljust(2048, b"\0"))
    (tmp_path / "entry").write_text(ENTRY)
    fake = tmp_path / "bin/guestfish"
    fake.parent.mkdir()
    fake.write_text(
        "#!/bin/sh\n"
        "while read -r command first second; do\n"
        "case $command in\n"
        f"add) test -r $first || exit 1 ;;\n"
        f"ls) echo ostree-1.conf ;;\n"
        f"download) cat {tmp_path}/entry ;;\n"
        f"upload) cat $first > {tmp_path}/entry ;;\n"
        "esac\n"
        "done\n"
    )
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", f"{fake.parent}:{os.environ['PATH']}")
    bootargs.insert(overlay(opened, base), kernel="one=1", firstboot="")
    assert "options root=LABEL=root rw one=1\n" in (tmp_path / "entry").read_text()


def test_differences_are_found_across_chunks() -> None:
    before, after = os.memfd_create("before"), os.memfd_create("after")
    try:
        for descriptor in (before, after):
            os.ftruncate(descriptor, 3 * MIB)
            os.pwrite(descriptor, b"x" * (2 * MIB), 0)
        os.pwrite(after, b"y" * 8192, MIB - 4096)
        os.pwrite(after, b"z", 2 * MIB + 5000)
        found = list(partition.differences(before, after))
    finally:
        os.close(before)
        os.close(after)
    assert [(offset, len(data)) for offset, data in found] == [(MIB - 4096, 8192), (2 * MIB + 4096, 4096)]

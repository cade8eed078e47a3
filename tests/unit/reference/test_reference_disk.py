"""Partition arithmetic and the bytes that make a BIOS find GRUB."""

from __future__ import annotations

import struct

from harness.reference.build.disk import FACTORY_GUID, layout, partition_script
from harness.reference.build.grub import bios_boot_code, modules
from harness.reference.build.recipe import GUEST


def test_partitions_follow_each_other() -> None:
    partitions = layout(3072)
    assert [(part.label, part.size) for part in partitions] == [
        ("BIOS-BOOT", 1),
        ("EFI-SYSTEM", 127),
        ("boot", 384),
        ("root", 3072),
    ]
    end = 1
    for part in partitions:
        assert part.start == end
        end += part.size


def test_the_partition_script_counts_in_sectors() -> None:
    script = partition_script(layout(2048)).splitlines()
    assert f"label-id: {FACTORY_GUID}" in script
    assert "start=2048, size=2048, type=21686148-6449-6E6F-744E-656564454649, name=BIOS-BOOT" in script


def test_the_first_boot_looks_for_the_guid_the_image_has() -> None:
    assert FACTORY_GUID in (GUEST / "initramfs/scripts/unique-disk").read_text()


def test_boot_sector_and_core_know_where_the_core_is() -> None:
    code, core = bios_boot_code(bytes(512), bytes(512 * 3 + 1), core_sector=2048)
    assert len(code) == 440
    assert struct.unpack_from("<Q", code, 0x5C) == (2048,)
    assert code[0x66:0x68] == b"\x90\x90"
    # Three whole sectors after the first, the last of them begun.
    assert struct.unpack_from("<QHH", core, 0x1F4) == (2049, 3, 0x820)


def test_grubs_own_linux_command_stays_out_of_the_core_image() -> None:
    assert "linux" not in modules()
    assert {"part_gpt", "ext2", "serial"} <= set(modules())

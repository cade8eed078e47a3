"""The disk image: NestOS's partitions, written into a file without loop devices or mounts."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path

from harness.reference import grub
from harness.reference.command import run
from harness.reference.commit import Commit
from harness.reference.recipe import Recipe, Version

MIB = 1024 * 1024
# The GUID every image has until its first boot; the initramfs looks for it.
FACTORY_GUID = "00000000-0000-4000-A000-000000000001"
# Likewise of the file systems. All three are those coreos-assembler and nosa give their images.
FACTORY_UUIDS = {
    "boot": "96d15588-3596-4b3c-adca-a2ff7279ea63",
    "root": "910678ff-f77e-4a7d-8d53-86f2ac47a823",
}


@dataclass(frozen=True)
class Partition:
    """One GPT partition; sizes and offsets in MiB."""

    label: str
    type: str
    start: int
    size: int


def layout(root_size_mib: int) -> tuple[Partition, ...]:
    """NestOS's table for x86_64; the first boot lets root grow into what is left of the disk."""
    sizes = (
        ("BIOS-BOOT", "21686148-6449-6E6F-744E-656564454649", 1),
        ("EFI-SYSTEM", "C12A7328-F81F-11D2-BA4B-00A0C93EC93B", 127),
        ("boot", "0FC63DAF-8483-4772-8E79-3D69D8477DE4", 384),
        ("root", "0FC63DAF-8483-4772-8E79-3D69D8477DE4", root_size_mib),
    )
    partitions = []
    start = 1
    for label, type_guid, size in sizes:
        partitions.append(Partition(label, type_guid, start, size))
        start += size
    return tuple(partitions)


def sfdisk_script(partitions: tuple[Partition, ...]) -> str:
    """What sfdisk reads from stdin."""
    lines = ["label: gpt", f"label-id: {FACTORY_GUID}", "unit: sectors"]
    per_mib = MIB // grub.SECTOR
    lines += [
        f"start={part.start * per_mib}, size={part.size * per_mib}, type={part.type}, name={part.label}"
        for part in partitions
    ]
    return "\n".join(lines) + "\n"


def _ext4(image: Path, partition: Partition, source: Path, *, inodes: int) -> None:
    run(
        [
            "mke2fs",
            "-q",
            "-F",
            "-t",
            "ext4",
            "-L",
            partition.label,
            "-d",
            source,
            "-N",
            str(inodes),
            "-m",
            "0",
            # For disks with sectors of that size; a small file system would get blocks of 1024.
            "-b",
            "4096",
            "-E",
            # All tables written now: no kernel thread spends the first minutes of a guest on them.
            f"offset={partition.start * MIB},lazy_itable_init=0,lazy_journal_init=0,nodiscard,root_owner=0:0",
            "-O",
            "^metadata_csum,64bit",
            "-U",
            FACTORY_UUIDS[partition.label],
            image,
            f"{partition.size * 1024}k",
        ]
    )


def _efi(image: Path, work: Path, partition: Partition, recipe: Recipe, modules_from: Path) -> None:
    esp = work / "esp.img"
    run(["mkfs.fat", "-F", "16", "-n", "EFI-SYSTEM", "-C", esp, str(partition.size * 1024)])
    run(["mmd", "-i", esp, "::/EFI", "::/EFI/BOOT"])
    for target in recipe.arch.grubs:
        if target.efi_name:
            core = work / target.efi_name
            grub.core_image(target, modules_from, core)
            run(["mcopy", "-i", esp, core, f"::/EFI/BOOT/{target.efi_name}"])
    with esp.open("rb") as source, image.open("r+b") as disk:
        disk.seek(partition.start * MIB)
        shutil.copyfileobj(source, disk)
    esp.unlink()


def fill_sysroot(recipe: Recipe, version: Version, made: Commit, sysroot: Path, modules_from: Path) -> None:
    """What a NestOS disk has beside the deployment: aleph version, platforms, GRUB, first-boot stamp."""
    aleph = {
        "build": version.id,
        "ref": recipe.ref,
        "ostree-commit": made.checksum,
        "imgid": f"{recipe.name}-{version.id}-qemu.{recipe.arch.name}.qcow2",
    }
    (sysroot / ".nestos-aleph-version.json").write_text(json.dumps(aleph, indent=4) + "\n")
    boot = sysroot / "boot"
    (boot / "nestos").mkdir()
    platforms = {"qemu": {"grub_commands": [], "kernel_arguments": [f"console={recipe.arch.console}"]}}
    (boot / "nestos/platforms.json").write_text(json.dumps({recipe.arch.name: platforms}, indent=4) + "\n")
    (boot / "ignition.firstboot").touch()
    grub.fill_boot(recipe.arch, modules_from, boot)


def write_disk(recipe: Recipe, sysroot: Path, modules_from: Path, work: Path, image: Path) -> None:
    """Write the bootable raw image `image` from `sysroot`, whose `boot` goes to a partition of its own."""
    partitions = layout(recipe.root_size_mib)
    bios, efi, boot, root = partitions
    with image.open("wb") as disk:
        disk.truncate(recipe.disk_size_mib * MIB)
    run(["sfdisk", "--quiet", image], stdin=sfdisk_script(partitions))
    boot_files = work / "boot"
    (sysroot / "boot").rename(boot_files)
    (sysroot / "boot").mkdir()
    _efi(image, work, efi, recipe, modules_from)
    _ext4(image, boot, boot_files, inodes=4096)
    # One for 32 KiB is ten times what the tree has; more would be more to write when root grows.
    _ext4(image, root, sysroot, inodes=root.size * 32)
    for target in recipe.arch.grubs:
        if not target.efi_name:
            grub.install_bios(image, work, target, modules_from, core_sector=bios.start * MIB // grub.SECTOR)


def to_qcow2(raw: Path, target: Path) -> None:
    """Uncompressed clusters: unpacking compressed ones would cost every boot."""
    run(["qemu-img", "convert", "-q", "-W", "-f", "raw", "-O", "qcow2", raw, target])

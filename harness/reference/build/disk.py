"""The disk image: NestOS's partitions, written into a file without loop devices or mounts."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path

from harness.reference.build import grub
from harness.reference.build.command import run
from harness.reference.build.commit import Commit
from harness.reference.build.recipe import Recipe, Version

MIB = 1024 * 1024
# The GUID of every image before its first boot; the initramfs looks for it.
FACTORY_GUID = "00000000-0000-4000-A000-000000000001"
# The UUIDs of the file systems before the first boot. All three are those that coreos-assembler and nosa use.
FACTORY_UUIDS = {
    "boot": "96d15588-3596-4b3c-adca-a2ff7279ea63",
    "root": "910678ff-f77e-4a7d-8d53-86f2ac47a823",
}


@dataclass(frozen=True)
class Form:
    """The form of a disk image: MiB of disk and root, bytes of a sector, and if a BIOS boots it."""

    disk_size_mib: int
    root_size_mib: int
    sector: int = 512
    bios: bool = True


@dataclass(frozen=True)
class Partition:
    """A GPT partition; sizes and offsets in MiB."""

    label: str
    type: str
    start: int
    size: int


def layout(root_size_mib: int) -> tuple[Partition, ...]:
    """Return NestOS's table for x86_64. The first boot grows root to the end of the disk."""
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


def partition_script(partitions: tuple[Partition, ...], *, sector: int = 512) -> str:
    """Return the table in the format that sfdisk reads, and fdisk by its command `I`."""
    lines = ["label: gpt", f"label-id: {FACTORY_GUID}", "unit: sectors"]
    per_mib = MIB // sector
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
            # All tables are written now, so that no kernel thread does it in the first minutes of a guest.
            f"offset={partition.start * MIB},lazy_itable_init=0,lazy_journal_init=0,nodiscard,root_owner=0:0",
            "-O",
            "^metadata_csum,64bit",
            "-U",
            FACTORY_UUIDS[partition.label],
            image,
            f"{partition.size * 1024}k",
        ]
    )


def _efi(
    image: Path, work: Path, partition: Partition, recipe: Recipe, modules_from: Path, *, sector: int
) -> None:
    esp = work / "esp.img"
    size = str(partition.size * 1024)
    run(["mkfs.fat", "-F", "16", "-S", str(sector), "-n", "EFI-SYSTEM", "-C", esp, size])
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


def write_aleph(recipe: Recipe, version: Version, made: Commit, sysroot: Path, *, image: str) -> None:
    """Record in `sysroot` the `image` a disk was made from."""
    aleph = {
        "build": version.id,
        "ref": recipe.ref,
        "ostree-commit": made.checksum,
        "imgid": image,
    }
    (sysroot / ".nestos-aleph-version.json").write_text(json.dumps(aleph, indent=4) + "\n", encoding="utf-8")


def fill_sysroot(
    recipe: Recipe,
    version: Version,
    made: Commit,
    sysroot: Path,
    modules_from: Path,
    *,
    image: str,
) -> None:
    """Write everything of a NestOS disk except the deployment: aleph version, platforms, GRUB, first-boot
    stamp.
    """
    write_aleph(recipe, version, made, sysroot, image=image)
    boot = sysroot / "boot"
    (boot / "nestos").mkdir()
    platforms = {
        platform: {"grub_commands": [], "kernel_arguments": list(recipe.consoles(platform))}
        for platform in ("metal", "openstack", "qemu")
    }
    (boot / "nestos/platforms.json").write_text(json.dumps(platforms, indent=4) + "\n", encoding="utf-8")
    (boot / "ignition.firstboot").touch()
    grub.fill_boot(recipe.arch, modules_from, boot)


def split_boot(sysroot: Path, boot_files: Path) -> None:
    """Move `boot` of `sysroot`, which has a partition of its own, to `boot_files`."""
    (sysroot / "boot").rename(boot_files)
    (sysroot / "boot").mkdir()


def write_disk(
    recipe: Recipe, sysroot: Path, boot_files: Path, modules_from: Path, work: Path, image: Path, form: Form
) -> None:
    """Write the bootable raw image `image` from `sysroot` and the files of its boot partition."""
    partitions = layout(form.root_size_mib)
    bios, efi, boot, root = partitions
    with image.open("wb") as disk:
        disk.truncate(form.disk_size_mib * MIB)
    _partition(image, partition_script(partitions, sector=form.sector), work, form.sector)
    _efi(image, work, efi, recipe, modules_from, sector=form.sector)
    _ext4(image, boot, boot_files, inodes=4096)
    # One for 32 KiB is ten times the need of the tree; more would cost time when root grows.
    _ext4(image, root, sysroot, inodes=root.size * 32)
    for target in recipe.arch.grubs:
        if form.bios and not target.efi_name:
            grub.install_bios(image, work, target, modules_from, core_sector=bios.start * MIB // grub.SECTOR)


def _partition(image: Path, script: str, work: Path, sector: int) -> None:
    if sector == grub.SECTOR:
        run(["sfdisk", "--quiet", image], stdin=script)
        return
    # Debian 12's sfdisk takes no sector size for a file; its fdisk does, and reads such a script by name.
    table = work / "table.sfdisk"
    table.write_text(script, encoding="utf-8")
    commands = f"I\n{table}\nw\n"
    run(["fdisk", "--sector-size", str(sector), "--wipe", "never", image], stdin=commands)
    table.unlink()


def to_qcow2(raw: Path, target: Path) -> None:
    """Convert to uncompressed clusters: decompression would slow down every boot."""
    run(["qemu-img", "convert", "-q", "-W", "-f", "raw", "-O", "qcow2", raw, target])

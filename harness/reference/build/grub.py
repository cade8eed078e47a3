"""GRUB without grub-install: core images made by grub-mkimage and placed where firmware finds them."""

from __future__ import annotations

import shutil
import struct
from pathlib import Path

from harness.reference.build.arch import Arch, Grub
from harness.reference.build.command import run
from harness.reference.build.recipe import GUEST, read_list

SECTOR = 512
_LIBRARY = Path("/usr/lib/grub")
# Offsets in boot.img and in the first sector of core.img (GRUB's include/grub/machine/boot.h).
_BOOT_KERNEL_SECTOR = 0x5C
_BOOT_DRIVE_CHECK = 0x66
_CORE_BLOCKLIST = 0x1F4
_CORE_SEGMENT = 0x820


def modules(directory: Path = GUEST / "grub") -> list[str]:
    """Return the modules of every core image."""
    return read_list(directory / "modules.list")


def library(arch: Arch, debs: Path, work: Path) -> Path:
    """Return the directory of GRUB's modules for `arch`: this host's, or from the packages in `debs`."""
    if not arch.foreign:
        return _LIBRARY
    unpacked = work / "grub"
    for grub in arch.grubs:
        (deb,) = debs.glob(f"{grub.package}_*.deb")
        run(["dpkg-deb", "--extract", deb, unpacked])
    return unpacked / _LIBRARY.relative_to("/")


def core_image(grub: Grub, modules_from: Path, target: Path) -> None:
    """Make a core image that finds `/grub2` on the third partition of its disk."""
    extra = [] if grub.efi_name else ["biosdisk"]
    source = str(modules_from / grub.format)
    argv = ["grub-mkimage", "-O", grub.format, "-d", source, "-p", "(,gpt3)/grub2"]
    run([*argv, "-o", str(target), *modules(), *extra])


def fill_boot(arch: Arch, modules_from: Path, boot: Path) -> None:
    """Fill `/boot/grub2`: the configuration, and the modules loaded on demand."""
    shutil.copytree(GUEST / "grub", boot / "grub2", ignore=shutil.ignore_patterns("*.list"))
    for grub in arch.grubs:
        target = boot / "grub2" / grub.format
        target.mkdir()
        source = modules_from / grub.format
        for path in (*source.glob("*.mod"), source / "moddep.lst"):
            shutil.copyfile(path, target / path.name)


def bios_boot_code(boot_image: bytes, core: bytes, *, core_sector: int) -> tuple[bytes, bytes]:
    """Return boot sector code (440 bytes) and core image, both adapted to the core's start at
    `core_sector`.
    """
    sector = bytearray(boot_image[:440])
    struct.pack_into("<Q", sector, _BOOT_KERNEL_SECTOR, core_sector)
    # Two NOPs replace a jump that would keep a wrong drive number, which our BIOS does not pass.
    sector[_BOOT_DRIVE_CHECK : _BOOT_DRIVE_CHECK + 2] = b"\x90\x90"
    patched = bytearray(core)
    sectors = -(-len(core) // SECTOR) - 1
    struct.pack_into("<QHH", patched, _CORE_BLOCKLIST, core_sector + 1, sectors, _CORE_SEGMENT)
    return bytes(sector), bytes(patched)


def install_bios(image: Path, work: Path, grub: Grub, modules_from: Path, *, core_sector: int) -> None:
    """Write boot code and core image of a BIOS GRUB straight into the disk image."""
    core = work / f"core-{grub.format}.img"
    core_image(grub, modules_from, core)
    boot_image = (modules_from / grub.format / "boot.img").read_bytes()
    code, patched = bios_boot_code(boot_image, core.read_bytes(), core_sector=core_sector)
    with image.open("r+b") as disk:
        disk.write(code)
        disk.seek(core_sector * SECTOR)
        disk.write(patched)

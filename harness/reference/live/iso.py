"""The live ISO: a CD that is a disk as well, for BIOS and UEFI, in the layout nosa gives it.

Names of level 1: the installer looks for nothing else.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path

from harness.reference.build.command import run
from harness.reference.build.requirements import Requirement
from harness.reference.live.initramfs import FEATURES
from harness.reference.live.installer import Installer

_BOOT = Path(__file__).parent / "guest/boot"
_PLACEHOLDER = "@KERNEL-ARGUMENTS@"
KARGS_SIZE = 1024
_INITRD_AREA = 262144
_MINISO_AREA = 16384
_ESP_KIB = 10 * 1024
# Level 1 would cut the directory's name to eight characters in any case.
_EFI = "EFI/openEule"
_ISOLINUX = Path("/usr/lib/ISOLINUX")
_SYSLINUX = Path("/usr/lib/syslinux/modules/bios")
# Debian's signed GRUB for CDs looks for /.disk/info and reads /boot/grub/grub.cfg.
_SIGNED = {
    "BOOTX64.EFI": Path("/usr/lib/shim/shimx64.efi.signed"),
    "grubx64.efi": Path("/usr/lib/grub/x86_64-efi-signed/gcdx64.efi.signed"),
    "mmx64.efi": Path("/usr/lib/shim/mmx64.efi.signed"),
}

REQUIREMENTS = (
    Requirement("xorriso", "xorriso"),
    Requirement("isolinux", str(_ISOLINUX / "isolinux.bin")),
    Requirement("syslinux-common", str(_SYSLINUX / "ldlinux.c32")),
    Requirement("shim-signed", str(_SIGNED["BOOTX64.EFI"])),
    Requirement("shim-helpers-amd64-signed", str(_SIGNED["mmx64.efi"])),
    Requirement("grub-efi-amd64-signed", str(_SIGNED["grubx64.efi"])),
)


@dataclass(frozen=True)
class LiveFiles:
    """The files from which a live system boots, and the kernel arguments of its OS."""

    volume_id: str
    kernel: Path
    initramfs: Path
    rootfs: Path
    arguments: tuple[str, ...]

    @property
    def default_arguments(self) -> str:
        """The line that `iso kargs show --default` prints."""
        ours = (f"nestos.liveiso={self.volume_id}", "ignition.firstboot", "ignition.platform.id=metal")
        return " ".join((*self.arguments, *ours, "console=tty1"))


def write_iso(files: LiveFiles, installer: Installer, work: Path, target: Path) -> None:
    """Write the image, able to become a minimal one by `iso extract minimal-iso`."""
    tree = work / "iso"
    _fill(files, tree, work)
    minimal = work / "minimal.iso"
    left_out = [(tree / name, work / Path(name).name) for name in _ONLY_FULL]
    _make(files.volume_id, tree, target)
    for inside, outside in left_out:
        inside.rename(outside)
    _make(files.volume_id, tree, minimal)
    run([installer.program, "pack", "minimal-iso", target, minimal, "--consume"])
    shutil.rmtree(tree)
    for _, outside in left_out:
        outside.unlink()


_ONLY_FULL = ("images/pxeboot/rootfs.img", "nestos/miniso.dat")


def _fill(files: LiveFiles, tree: Path, work: Path) -> None:
    for name in ("nestos", "images/pxeboot", "isolinux", _EFI, "boot/grub", ".disk"):
        (tree / name).mkdir(parents=True)
    pxe = tree / "images/pxeboot"
    for source, name in (
        (files.kernel, "vmlinuz"),
        (files.initramfs, "initrd.img"),
        (files.rootfs, "rootfs.img"),
    ):
        (pxe / name).hardlink_to(source)
    (tree / "images/ignition.img").write_bytes(bytes(_INITRD_AREA))
    _write_esp(tree / "images/efiboot.img", work)
    (tree / ".disk/info").write_text("NestOS live\n", encoding="utf-8")
    grub = tree / "boot/grub/grub.cfg"
    grub.write_text(
        f"search --no-floppy --set root --label {files.volume_id}\nconfigfile /{_EFI}/grub.cfg\n",
        encoding="utf-8",
    )
    for name in ("ldlinux.c32", "menu.c32", "libcom32.c32", "libutil.c32"):
        shutil.copyfile(_SYSLINUX / name, tree / "isolinux" / name)
    shutil.copyfile(_ISOLINUX / "isolinux.bin", tree / "isolinux/isolinux.bin")
    described = [
        boot_config("isolinux.cfg", "isolinux/isolinux.cfg", files, tree),
        boot_config("grub.cfg", f"{_EFI}/grub.cfg", files, tree),
    ]
    kargs = {"default": files.default_arguments, "size": KARGS_SIZE, "files": described}
    nestos = tree / "nestos"
    (nestos / "kargs.json").write_text(json.dumps(kargs, indent=2) + "\n", encoding="utf-8")
    (nestos / "igninfo.json").write_text('{"file": "images/ignition.img"}\n', encoding="utf-8")
    (nestos / "features.json").write_text(json.dumps(FEATURES, indent=2) + "\n", encoding="utf-8")
    (nestos / "miniso.dat").write_bytes(bytes(_MINISO_AREA))


def boot_config(source: str, name: str, files: LiveFiles, tree: Path) -> dict[str, object]:
    """Write a boot loader's file with the area for kernel arguments; return how kargs.json describes it."""
    text = (_BOOT / source).read_text(encoding="utf-8")
    offset = len(text.partition(_PLACEHOLDER)[0].encode())
    area = f"{files.default_arguments}\n".ljust(KARGS_SIZE, "#")
    (tree / name).write_text(text.replace(_PLACEHOLDER, area), encoding="utf-8")
    return {"path": name, "offset": offset, "pad": "#", "end": "\n"}


def _write_esp(target: Path, work: Path) -> None:
    run(["mkfs.fat", "-F", "12", "-n", "EFI-SYSTEM", "-C", target, str(_ESP_KIB)])
    run(["mmd", "-i", target, "::/EFI", "::/EFI/BOOT"])
    for name, source in _SIGNED.items():
        run(["mcopy", "-i", target, source, f"::/EFI/BOOT/{name}"])


def _make(volume_id: str, tree: Path, target: Path) -> None:
    # fmt: off
    run([
        "xorriso", "-as", "mkisofs",
        "-quiet",
        "-iso-level", "1",
        "-V", volume_id,
        "-volset", volume_id,
        "-r", "-J", "-joliet-long",
        "-b", "isolinux/isolinux.bin",
        "-c", "isolinux/boot.cat",
        "-no-emul-boot", "-boot-load-size", "4", "-boot-info-table",
        "-eltorito-alt-boot",
        "-e", "images/efiboot.img",
        "-no-emul-boot",
        "-isohybrid-gpt-basdat",
        "-isohybrid-mbr", _ISOLINUX / "isohdpfx.bin",
        "-o", target,
        tree,
    ])
    # fmt: on

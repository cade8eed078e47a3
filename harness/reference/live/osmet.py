"""osmet files: the parts of a metal image that the live system lacks, packed by the installer in a guest.

The installer takes an image from a block device with kernel partitions and mounts it: a guest has that, a
build host may not.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from harness.errors import InfrastructureError
from harness.installer import cpio
from harness.platform.choose import qemu_accelerator
from harness.reference.build.command import run
from harness.reference.build.requirements import Requirement
from harness.reference.live import archive
from harness.util.process import spawn

REQUIREMENTS = (Requirement("qemu-system-x86", "qemu-system-x86_64"),)
_PORT = "nestos.osmet"
# Both images and the live system stay in the guest's cache.
_MEMORY_MIB = 3072
# Half a minute to boot, and a few to hash and compress; by this time it hangs.
_SECONDS = 1500
_SCRIPT = """#!/bin/bash
# Packs every image at once, then sends what came of it, or nothing but the log.
udevadm settle
cd /var && mkdir osmet && cd osmet
pack() {{
    # Without --fast xz takes 700 MB for each image, and minutes for zeros.
    nestos-installer pack osmet --fast "/dev/disk/by-id/virtio-$1" \
        --description "$2" --checksum "$3" --output "$1.osmet"
}}
( {commands}
  for job in $(jobs -p); do wait "$job" || exit 1; done; echo done > status ) &> log
ls | cpio -o -H newc --quiet > /dev/virtio-ports/{port}
systemctl poweroff --force
"""
_UNIT = """[Unit]
Description=Pack osmet Files
[Service]
ExecStart=/bin/bash /etc/pack-osmet
StandardOutput=journal+console
StandardError=journal+console
[Install]
WantedBy=multi-user.target
"""


@dataclass(frozen=True)
class Metal:
    """A raw image to pack: its file, bytes of its sectors, and the SHA-256 of its content."""

    path: Path
    sector: int
    sha256: str


@dataclass(frozen=True)
class Guest:
    """The live system that packs: kernel, initramfs, root file system, kernel arguments and volume id."""

    kernel: Path
    initramfs: Path
    rootfs: Path
    arguments: str
    volume_id: str


def pack(images: Mapping[str, Metal], description: str, guest: Guest, work: Path) -> dict[str, Path]:
    """An osmet file for each of `images`, under its name. Raises InfrastructureError with the guest's log."""
    directory = work / "osmet"
    directory.mkdir()
    medium = _medium(guest, directory)
    initrd = directory / "initrd"
    with initrd.open("wb") as out:
        with guest.initramfs.open("rb") as file:
            shutil.copyfileobj(file, out)
        out.write(cpio.pack({"config.ign": _config(images, description)}))
    answer, console = directory / "answer", directory / "console"
    # fmt: off
    argv = [
        "qemu-system-x86_64",
        "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot",
        "-machine", "pc",
        *qemu_accelerator("x86_64"),
        "-smp", "2",
        "-m", str(_MEMORY_MIB),
        "-kernel", str(guest.kernel),
        "-initrd", str(initrd),
        "-append", f"{guest.arguments} console=ttyS0,115200n8",
        "-serial", f"file:{console}",
        "-device", "virtio-rng-pci",
        "-device", "virtio-scsi-pci",
        "-drive", f"if=none,id=medium,format=raw,readonly=on,media=cdrom,file={medium}",
        "-device", "scsi-cd,drive=medium",
        "-device", "virtio-serial-pci,ioeventfd=off",
        "-chardev", f"file,id=answer,path={answer}",
        "-device", f"virtserialport,chardev=answer,name={_PORT}",
    ]
    # fmt: on
    for name, image in images.items():
        sizes = f"logical_block_size={image.sector},physical_block_size={image.sector}"
        argv += ["-drive", f"if=none,id={name},format=raw,readonly=on,file={image.path}"]
        argv += ["-device", f"virtio-blk-pci,drive={name},serial={name},{sizes}"]
    child = spawn(argv, name="osmet guest", stderr=subprocess.DEVNULL)
    status = child.wait(_SECONDS)
    child.stop()
    received = answer.read_bytes() if answer.exists() else b""
    files = cpio.unpack(received) if received else {}
    if status != 0 or "status" not in files:
        lines = console.read_bytes().decode(errors="replace").splitlines()[-25:] if console.exists() else []
        raise InfrastructureError(
            f"packing osmet files failed: the guest {child.describe_exit()}",
            cause="reference-build-failed",
            evidence=files.get("log", b"").decode(errors="replace") + "\n".join(lines),
        )
    packed = {}
    for name in images:
        packed[name] = work / f"{name}.osmet"
        packed[name].write_bytes(files[f"{name}.osmet"])
    shutil.rmtree(directory)
    return packed


def _medium(guest: Guest, directory: Path) -> Path:
    """A CD with nothing but the root file system."""
    tree = directory / "tree/images/pxeboot"
    tree.mkdir(parents=True)
    archive.write_plain([("root.squashfs", guest.rootfs)], tree / "rootfs.img")
    target = directory / "medium.iso"
    run(
        ["xorriso", "-as", "mkisofs", "-quiet", "-r", "-V", guest.volume_id, "-o", target, directory / "tree"]
    )
    shutil.rmtree(directory / "tree")
    return target


def _config(images: Mapping[str, Metal], description: str) -> bytes:
    commands = "\n  ".join(f"pack {name} '{description}' {image.sha256} &" for name, image in images.items())
    script = _SCRIPT.format(commands=commands, port=_PORT)
    config = {
        "ignition": {"version": "3.3.0"},
        "storage": {"files": [{"path": "/etc/pack-osmet", "contents": {"source": f"data:,{quote(script)}"}}]},
        "systemd": {"units": [{"name": "pack-osmet.service", "enabled": True, "contents": _UNIT}]},
    }
    return json.dumps(config).encode()

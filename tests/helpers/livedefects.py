"""Builds of the reference OS whose live system has a planted defect.

Nothing is built again: the defect travels in the area of the ISO that holds Ignition configs, where a
scenario's own config joins it.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from harness.artifact.distro import COMPLETION_PORT, REFERENCE
from harness.installer.isoimage import IsoImage
from harness.reference.build.metadata import describe

_DROPIN = "etc/systemd/system/nestos-sysroot-var.service.d/planted.conf"
_PLANT = """set -eu
mkdir -p /sysroot/etc/planted /sysroot/etc/systemd/system/sysinit.target.wants
cp /planted/start /planted/wrapper /sysroot/etc/planted/
cp /planted/planted.service /sysroot/etc/systemd/system/
ln -s ../planted.service /sysroot/etc/systemd/system/sysinit.target.wants/planted.service
"""
_SERVICE = """[Unit]
Description=Plant a defect in the live system
DefaultDependencies=no
After=local-fs.target
Before=sysinit.target
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/bin/bash /etc/planted/start
"""
_WRAP = """set -eu
mkdir -p /run/planted
cp /usr/bin/nestos-installer /run/planted/real
cp /etc/planted/wrapper /run/planted/nestos-installer
chmod 755 /run/planted/nestos-installer
mount --bind /run/planted/nestos-installer /usr/bin/nestos-installer
"""
_WITHOUT = """#!/bin/bash
words=()
while (($#)); do
    case $1 in
        {option}) shift {words} ;;
        *) words+=("$1"); shift ;;
    esac
done
exec /run/planted/real "${{words[@]}}"
"""

_STAMP_WITHIN = 65536
"""Bytes at the end of a PXE root file system that hold its last member, the id of its build."""


@dataclass(frozen=True)
class Defect:
    """A shell script that runs early in the live system, and one that takes the installer's place."""

    start: str = _WRAP
    wrapper: str = ""


def _without(option: str, *, words: int) -> Defect:
    return Defect(wrapper=_WITHOUT.format(option=option, words=words))


WRITES_NOTHING = Defect(wrapper="#!/bin/bash\necho Install complete.\n")
IGNITION_LOST = _without("--ignition-file", words=2)
ARGUMENTS_LOST = _without("--append-karg|--delete-karg", words=2)
KEYFILE_LOST = _without("--copy-network|-n", words=1)
NO_BOOT_LOADER = Defect(
    wrapper="""#!/bin/bash
/run/planted/real "$@" && dd if=/dev/zero of=/dev/vda bs=440 count=1 conv=notrunc status=none
"""
)
SUCCESS_TOO_EARLY = Defect(
    wrapper=f"""#!/bin/bash
echo nestos-installer-test-OK >/dev/virtio-ports/{COMPLETION_PORT}
exec /run/planted/real "$@"
"""
)
TOUCHES_THE_DISK = Defect(start="dd if=/dev/zero of=/dev/vda bs=512 seek=1000 count=1 oflag=direct\n")
LOGS_IN = Defect(
    start="""mkdir -p /run/systemd/system/serial-getty@ttyS0.service.d
cat >/run/systemd/system/serial-getty@ttyS0.service.d/planted.conf <<'END'
[Service]
ExecStart=
ExecStart=-/sbin/agetty --autologin nest --keep-baud 115200,38400,9600 %I $TERM
END
systemctl daemon-reload
"""
)


def plant(root: Path, target: Path, defect: Defect) -> Path:
    """Return a copy of the build root in which the live ISO has the defect."""
    directory = _copied(root, target)
    iso = _of_its_own(directory, "live-iso")
    area = IsoImage(iso, REFERENCE).initrd
    files = {
        "planted/plant": _PLANT,
        "planted/start": defect.start,
        "planted/wrapper": defect.wrapper,
        "planted/planted.service": _SERVICE,
        _DROPIN: "[Service]\nExecStartPost=/bin/sh /planted/plant\n",
    }
    change = area.written({name: text.encode() for name, text in files.items()})
    with iso.open("r+b") as file:
        file.seek(change.offset)
        file.write(change.data)
    _describe(directory, "live-iso")
    return target


def plant_strange_rootfs(root: Path, target: Path) -> Path:
    """Return a copy of the build root whose PXE root file system does not belong to its initramfs."""
    directory = _copied(root, target)
    rootfs = _of_its_own(directory, "live-rootfs")
    stamp = directory.parent.name.encode()
    end = max(0, rootfs.stat().st_size - _STAMP_WITHIN)
    with rootfs.open("r+b") as file:
        file.seek(end)
        at = file.read().rindex(stamp)
        file.seek(end + at)
        file.write(b"0" * len(stamp))
    _describe(directory, "live-rootfs")
    return target


def _copied(root: Path, target: Path) -> Path:
    """Copy the build root by hard links; the directory of its newest build."""
    subprocess.run(["cp", "-a", "--link", str(root), str(target)], check=True)
    (meta,) = (target / "builds/latest").glob("*/meta.json")
    return meta.parent.resolve()


def _of_its_own(directory: Path, kind: str) -> Path:
    """The artifact, with content of its own in place of the shared one."""
    meta = json.loads((directory / "meta.json").read_text(encoding="utf-8"))
    path = directory / str(meta["images"][kind]["path"])
    original = path.rename(path.with_suffix(".shared"))
    shutil.copyfile(original, path)
    original.unlink()
    return path


def _describe(directory: Path, kind: str) -> None:
    """Write the artifact's new digest to meta.json."""
    file = directory / "meta.json"
    meta = json.loads(file.read_text(encoding="utf-8"))
    meta["images"][kind]["sha256"] = describe(directory / meta["images"][kind]["path"]).sha256
    file.unlink()
    file.write_text(json.dumps(meta), encoding="utf-8")

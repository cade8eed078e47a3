"""Additions to the OS's initramfs for the live system: an archive that is appended to it."""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

from harness.reference.build.command import run
from harness.reference.build.tree import lay_over
from harness.reference.live import archive
from harness.reference.live.installer import Installer

_HERE = Path(__file__).parent
_LAYER = _HERE / "guest/initramfs"
# Fetching a root file system, unpacking, and finding a CD by its label.
_PROGRAMS = ("usr/bin/curl", "usr/bin/cpio", "usr/bin/dd", "usr/bin/cmp", "usr/lib/udev/cdrom_id")
_FILES = ("usr/lib/udev/rules.d/60-cdrom_id.rules",)
_REQUIRED = {
    "initrd-root-fs.target": "nestos-live-rootfs.service",
    "ignition-complete.target": "nestos-live-config.service",
}
_LOADED = re.compile(r"(?:=> )?(/\S+) \(0x")
FEATURES = {
    "installer-config": True,
    "installer-config-directives": {
        name: True
        for name in (
            "append-karg", "architecture", "console", "copy-network", "delete-karg", "dest-device",
            "fetch-retries", "ignition-file", "ignition-hash", "ignition-url", "image-file", "image-url",
            "insecure", "insecure-ignition", "network-dir", "offline", "platform", "preserve-on-error",
            "save-partindex", "save-partlabel", "secure-ipl", "stream", "stream-base-url",
        )
    },
    "live-initrd-network": True,
}  # fmt: skip


@dataclass(frozen=True)
class Initramfs:
    """The parts of a live initramfs: the OS's own, the deployment it is for, and the installer's programs."""

    base: Path
    deployment: Path
    installer: Installer
    build_id: str

    def write(self, target: Path, work: Path, *, rootfs: Path) -> None:
        """Write the initramfs, which accepts only `rootfs` from a server."""
        tree = work / "initramfs"
        tree.mkdir()
        lay_over(_LAYER, tree)
        self._add_programs(tree)
        etc = tree / "etc"
        for target_unit, unit in _REQUIRED.items():
            requires = etc / f"systemd/system/{target_unit}.requires"
            requires.mkdir()
            (requires / unit).symlink_to(f"../{unit}")
        (etc / "nestos").mkdir()
        (etc / "nestos-live-initramfs").write_text(f"{self.build_id}\n", encoding="utf-8")
        (etc / "nestos/features.json").write_text(json.dumps(FEATURES, indent=2) + "\n", encoding="utf-8")
        hashes = archive.stream_hashes(rootfs)
        (etc / "nestos-live-want-rootfs").write_text(hashes, encoding="utf-8")
        appended = work / "appended.zst"
        archive.write_compressed(tree, appended)
        archive.write_joined((self.base, appended), target)
        shutil.rmtree(tree)

    def _add_programs(self, tree: Path) -> None:
        helper = tree / "usr/bin/rdcore"
        helper.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(self.installer.helper, helper)
        helper.chmod(0o755)
        # The deployment's loader lists what a program loads.
        for name in (*_PROGRAMS, *_FILES):
            self._copy(name, tree)
        wanted = [f"/{name}" for name in _PROGRAMS]
        scratch = self.deployment / "var/rdcore"
        shutil.copyfile(self.installer.helper, scratch)
        scratch.chmod(0o755)
        for program in (*wanted, "/var/rdcore"):
            for library in _libraries(self.deployment, program):
                self._copy(library, tree)
        scratch.unlink()

    def _copy(self, name: str, tree: Path) -> None:
        """Copy a file of the deployment, and what it links to; /lib and the like are links in both."""
        path = Path(name.lstrip("/"))
        if path.parts[0] in ("lib", "lib64", "bin", "sbin"):
            path = Path("usr") / path
        source, target = self.deployment / path, tree / path
        if target.is_symlink() or target.exists():
            return
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(source, target, follow_symlinks=False)
        if source.is_symlink():
            self._copy(str(path.parent / source.readlink()), tree)


def _libraries(deployment: Path, program: str) -> list[str]:
    shown = run(["chroot", deployment, "/lib64/ld-linux-x86-64.so.2", "--list", program])
    return _LOADED.findall(shown)

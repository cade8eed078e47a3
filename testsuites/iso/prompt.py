"""A live system with a shell over SSH, and installations that are typed there."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from typing import Any

from harness.machine.boot import EmptyDisk
from harness.machine.machine import Machine
from harness.machine.ssh import Completed
from kola.machines.media import live_iso
from testsuites.iso import tiny
from testsuites.iso.lab import Lab

IMAGE = "/var/tmp/tiny.raw"
CONFIG = "/var/tmp/config.ign"
CONFIG_TEXT = '{"ignition": {"version": "3.3.0"}}'
_MOUNT = "/var/mnt-installed"


@dataclass(frozen=True)
class LivePrompt:
    """A live machine with an empty disk, on which the image and a config lie ready."""

    machine: Machine
    program: str
    disk: str

    @classmethod
    def boot(cls, lab: Lab, *, gib: int = 1, disk: str = "/dev/vda", **machine: Any) -> LivePrompt:
        """A clone of such a machine where the platform can make one."""
        medium = live_iso(lab.iso(), lab.arch)
        if lab.memory_mib is not None:
            machine.setdefault("memory_mib", lab.memory_mib)
        booted = lab.new_machine(medium=medium, primary=EmptyDisk(gib), **machine)
        made = cls(booted, lab.distro.installer.program, disk)
        made.furnish(lab)
        return made

    def furnish(self, lab: Lab) -> None:
        """Put the image and the config there, which a live system loses when it goes down."""
        self.machine.put(tiny.write(lab.directory / "tiny.raw"), IMAGE)
        self.machine.file(CONFIG).write(CONFIG_TEXT)

    def install(self, *arguments: str, disk: str = "", image: bool = True) -> Completed:
        """Run the installer on the disk, with the small image unless the arguments name another."""
        words = ["--image-file", IMAGE, "--insecure"] if image else []
        return self.machine.run(
            [self.program, "install", disk or self.disk, *words, *arguments], sudo=True, timeout=600
        )

    def sectors_written(self) -> int:
        """Sectors ever written to the disk since boot (Linux: Documentation/block/stat)."""
        name = self.disk.rpartition("/")[2]
        return int(self.machine.run(["cat", f"/sys/block/{name}/stat"]).check().stdout.split()[6])

    def partitions(self) -> list[str]:
        """The partitions of the disk as the kernel reads them now."""
        script = f"partprobe {self.disk} 2>/dev/null; udevadm settle; lsblk -nro NAME,TYPE {self.disk}"
        lines = self.machine.run(["sh", "-c", script], sudo=True).check().lines
        return [line.split()[0] for line in lines if line.endswith(" part")]

    def boot_file(self, path: str) -> str:
        """The content of a file of the installed boot partition; files of a pattern one after the other."""
        script = (
            f"mkdir -p {_MOUNT} && mount -o ro {self.disk}1 {_MOUNT} && "
            f"{{ cat {_MOUNT}/{path}; status=$?; umount {_MOUNT}; exit $status; }}"
        )
        return self.machine.run(["sh", "-c", script], sudo=True).check().stdout

    def shell(self, script: str) -> str:
        """Run a script as root; its output."""
        return self.machine.run(f"sudo sh -ec {shlex.quote(script)}").check().stdout

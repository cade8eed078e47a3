"""Machines of the reference OS made straight from a spec, as no test of kola's own would ask for them."""

from __future__ import annotations

import os
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from harness.artifact import BuildRoot
from harness.ignition import IgnitionConfig, additions
from harness.machine.boot import DiskImage
from harness.machine.machine import Machine
from harness.machine.sessions import Access
from harness.machine.spec import MachineSpec
from harness.machine.ssh import SshKey
from harness.platform.base import Platform
from harness.platform.choose import choose
from harness.util.deadline import Deadline


def platform_of_tests() -> Platform:
    """qemu, unless `KOLA_TEST_PLATFORM` names another platform."""
    return choose(os.environ.get("KOLA_TEST_PLATFORM", "qemu"), "x86_64")


class MachineLab:
    """Boots machines and closes them all at the end."""

    def __init__(self, reference: Path, directory: Path) -> None:
        self.artifact = BuildRoot(reference).find().artifact("qemu")
        self.image = self.artifact.ready()
        self.platform = platform_of_tests()
        self.access = Access("nest", SshKey.generate("test"), SshKey.generate("test-host"))
        self._directory = directory
        self._owned = ExitStack()
        self._count = 0

    def spec(self, **words: Any) -> MachineSpec:
        return MachineSpec(**{"primary": DiskImage(self.image)} | words)

    def config(self, access: Access | None = None, *more: IgnitionConfig) -> IgnitionConfig:
        """The config that gives SSH access."""
        access = access or self.access
        assert access.host_key is not None
        return additions.ssh_access(access.user, access.key.public).merge(
            additions.host_key(access.host_key.private, access.host_key.public),
            additions.journal_stream(),
            *more,
        )

    def new_directory(self) -> Path:
        self._count += 1
        return self._directory / f"machine-{self._count}"

    def power_on(self, *more: IgnitionConfig, **spec: Any) -> Machine:
        """Switched on, not waited for; `more` is merged into its config."""
        instance = self.platform.launch(
            self.spec(**spec),
            self.config(None, *more),
            directory=self.new_directory(),
            deadline=Deadline(300 * self.platform.scale),
        )
        return self.keep(Machine(instance, self.access, scale=self.platform.scale))

    def boot(self, *more: IgnitionConfig, **spec: Any) -> Machine:
        """A machine that answers and is well."""
        machine = self.power_on(*more, **spec)
        machine.wait_reachable()
        machine.check_health()
        return machine

    def keep(self, machine: Machine) -> Machine:
        self._owned.callback(machine.close)
        return machine

    def close(self) -> None:
        self._owned.close()


def block_devices(machine: Machine) -> dict[str, dict[str, str]]:
    """The kernel's block devices by serial; the paths of a multipath disk count as one."""
    script = """
for disk in /sys/block/*; do
    name=${disk##*/}
    case $name in loop*|ram*|sr*|dm-*) continue ;; esac
    serial=$(lsblk -dno SERIAL /dev/$name)
    echo "$serial|name|$name"
    echo "$serial|bytes|$(($(cat $disk/size) * 512))"
    echo "$serial|logical|$(cat $disk/queue/logical_block_size)"
    echo "$serial|physical|$(cat $disk/queue/physical_block_size)"
    echo "$serial|vendor|$(cat $disk/device/vendor)"
    echo "$serial|model|$(cat $disk/device/model)"
    echo "$serial|wwn|$(lsblk -dno WWN /dev/$name)"
done 2>/dev/null
true"""
    found: dict[str, dict[str, str]] = {}
    for line in machine.run(script, sudo=True).check().lines:
        serial, key, value = (word.strip() for word in line.split("|"))
        found.setdefault(serial, {})[key] = value
    return found


def paths_to(machine: Machine, serial: str) -> list[str]:
    """Names of the block devices with this serial."""
    rows = machine.run("lsblk -dno NAME,SERIAL", sudo=True).check().lines
    return [row.split()[0] for row in rows if row.split()[1:] == [serial]]

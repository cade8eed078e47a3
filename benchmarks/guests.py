"""Machines of the reference OS for measuring, made as kola makes them."""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from socket import socket

from harness.artifact import BuildRoot
from harness.ignition import IgnitionConfig, additions
from harness.machine.arrival import Arrival
from harness.machine.boot import DiskImage
from harness.machine.machine import Machine
from harness.machine.probe import Since, wait_for_banner, wait_for_sshd
from harness.machine.sessions import Access
from harness.machine.spec import MachineSpec
from harness.machine.ssh import SshKey
from harness.platform.parts import tpm
from harness.platform.parts.accel import Accelerator
from harness.platform.parts.given import GivenConfig
from harness.platform.parts.storage import FreshOverlay
from harness.platform.qemu.instance import QemuInstance
from harness.platform.qemu.platform import QemuPlatform
from harness.platform.templates import Recipe, Template
from harness.reference import ensure
from harness.util.deadline import Deadline

LIMIT = 600.0
"""Seconds after which nothing is worth measuring any more."""


def options(description: str | None) -> argparse.Namespace:
    """The options of benchmarks that boot repeatedly: `--runs` and `--reference`."""
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--reference", type=Path)
    return parser.parse_args()


class Guests:
    """The spec kola gives a test that asks for nothing, and machines of it."""

    def __init__(self, reference: Path | None) -> None:
        self.artifact = BuildRoot(reference or ensure(progress=print)).find().artifact("qemu")
        self.platform = QemuPlatform()
        self.spec = MachineSpec(DiskImage(self.artifact.ready()), swtpm=tpm.available())
        self.access = Access("nest", SshKey.generate("bench"), SshKey.generate("bench-host"))

    @staticmethod
    def config(access: Access) -> IgnitionConfig:
        """The config that kola adds for every machine."""
        assert access.host_key is not None
        return IgnitionConfig.empty().merge(
            additions.ssh_access(access.user, access.key.public),
            additions.host_key(access.host_key.private, access.host_key.public),
            additions.journal_stream(),
        )

    def template(self) -> Template:
        """The frozen machine; booted now unless there is one."""
        recipe = Recipe(self.spec, self.artifact.identity(), self.access.user, self.config)
        return self.platform.templates.obtain(recipe, deadline=Deadline(LIMIT))

    @contextmanager
    def bare(self, spec: MachineSpec | None = None) -> Iterator[tuple[QemuInstance, socket]]:
        """A machine with nothing of ours in it but a key, and a connection with sshd's banner on it."""
        only_key = IgnitionConfig.empty().merge(
            additions.ssh_access(self.access.user, self.access.key.public)
        )
        with tempfile.TemporaryDirectory() as directory:
            instance = self.platform.launch(
                spec or self.spec, only_key, directory=Path(directory), deadline=Deadline(LIMIT)
            )
            try:
                wait_for_sshd(instance, Since(), deadline=Deadline(LIMIT))
                yield instance, wait_for_banner(instance, Since(), deadline=Deadline(LIMIT), grace=LIMIT)
            finally:
                instance.close()

    @contextmanager
    def cold(self, accelerator: Accelerator | None = None) -> Iterator[Machine]:
        """A machine that has gone through its first boot and done a command."""
        with tempfile.TemporaryDirectory() as directory:
            instance = QemuInstance(
                self.spec,
                GivenConfig(self.config(self.access)),
                FreshOverlay(),
                directory=Path(directory),
                accelerator=accelerator or self.platform.accelerator,
                deadline=Deadline(LIMIT),
            )
            machine = Machine(instance, self.access, scale=self.platform.scale)
            try:
                machine.wait_reachable()
                yield machine
            finally:
                machine.close()

    @contextmanager
    def clone(self, template: Template) -> Iterator[Machine]:
        """A clone that has done a command."""
        with tempfile.TemporaryDirectory() as directory:
            instance = self.platform.templates.clone(
                template, self.spec, directory=Path(directory), deadline=Deadline(LIMIT)
            )
            machine = Machine(instance, template.access, scale=self.platform.scale, how="clone")
            try:
                machine.wait_resumed(Arrival.new(template.boot_id))
                machine.arrive()
                yield machine
            finally:
                machine.close()

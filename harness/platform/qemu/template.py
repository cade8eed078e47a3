"""Templates: machines booted once, frozen, and cloned as often as tests want one."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import shutil
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from pathlib import Path

from harness.artifact import ArtifactCache
from harness.errors import MachineFailure
from harness.ignition import IgnitionConfig
from harness.machine.machine import Access, Machine
from harness.machine.spec import NOTHING_REACHABLE, MachineSpec
from harness.machine.ssh import SshKey
from harness.platform.qemu.accel import Accelerator, find_qemu
from harness.platform.qemu.frozen import Frozen, copy
from harness.platform.qemu.instance import QemuInstance
from harness.util.deadline import Deadline
from harness.util.paths import cache_root

FORMAT = 3
PADDED = 64 * 1024
"""Bytes of every config given to a machine frozen before Ignition: fw_cfg keeps the size it had then."""

_SEAL = "template.json"
IGNITION_FILE = "ignition.json"
_IGNITION_STARTS = re.compile(rb"Ignition \(fetch|ignition-fetch")
_BOOTED = re.compile(rb"login: ")


class Stage(StrEnum):
    """When a template is frozen: up and settled, or in the initramfs before Ignition reads its config."""

    BOOTED = "booted"
    BEFORE_IGNITION = "before-ignition"


@dataclass(frozen=True)
class Preparation:
    """What is done to a booted machine before it is frozen. `identity` stands for all that `act` does."""

    identity: str
    act: Callable[[Machine], None]


@dataclass(frozen=True)
class Recipe:
    """All that shapes a template. `image_identity` stands for the image's content.

    `config` makes the Ignition config for the keys it is given; the same config for the same keys. One with
    a preparation goes on from the template of the same recipe without.
    """

    spec: MachineSpec
    image_identity: str
    user: str
    config: Callable[[Access], IgnitionConfig]
    stage: Stage = Stage.BOOTED
    preparation: Preparation | None = None

    @property
    def machine(self) -> MachineSpec:
        """What is booted and frozen: `spec` without services, which each clone has its own of."""
        return replace(self.spec, reachable=NOTHING_REACHABLE)

    def key(self, accelerator: Accelerator) -> str:
        nobody = Access(self.user, SshKey("-", "ssh-ed25519 AAAA -"), SshKey("-", "ssh-ed25519 AAAA -"))
        binary = find_qemu(self.spec.arch)
        shape = {
            "format": FORMAT,
            "spec": asdict(replace(self.machine, image=Path("-"))),
            "image": self.image_identity,
            "stage": self.stage,
            "config": self.config(nobody).to_json() if self.stage is Stage.BOOTED else "",
            "preparation": self.preparation.identity if self.preparation is not None else "",
            "accelerator": [accelerator.name, accelerator.cpu],
            "qemu": [str(binary), binary.stat().st_size, binary.stat().st_mtime_ns],
        }
        return hashlib.sha256(json.dumps(shape, sort_keys=True, default=str).encode()).hexdigest()[:32]


@dataclass(frozen=True)
class Template:
    """A frozen machine and how to get into its clones, which all share its keys and machine-id."""

    frozen: Frozen
    access: Access
    boot_id: str


class Templates:
    """The templates of this user, made once for all processes and runs."""

    def __init__(self, accelerator: Accelerator, cache: ArtifactCache | None = None) -> None:
        self._accelerator = accelerator
        self._cache = cache or _cache()

    def obtain(
        self, recipe: Recipe, *, deadline: Deadline, on_wait: Callable[[], None] | None = None
    ) -> Template:
        """The template of this recipe; booted and frozen now if there is none yet.

        Raises what a boot, or the recipe's preparation, may raise.
        """
        key = recipe.key(self._accelerator)
        seal = self._cache.obtain(
            key, _SEAL, fill=lambda partial: self._make(recipe, partial, deadline), on_wait=on_wait
        )
        return _read(seal)

    def keys(self, recipe: Recipe) -> tuple[str, ...]:
        """By which `made` knows the recipe's template, and the one it goes on from."""
        base = () if recipe.preparation is None else self.keys(replace(recipe, preparation=None))
        return (*base, recipe.key(self._accelerator))

    def discard(self, template: Template) -> None:
        """Forget a template that does not resume; clones at work keep what they have opened."""
        self._cache.discard(template.frozen.directory.name, _SEAL)

    def clone(
        self,
        template: Template,
        spec: MachineSpec,
        *,
        directory: Path,
        deadline: Deadline,
        ignition: IgnitionConfig | bytes | None = None,
    ) -> QemuInstance:
        """A machine that goes on from where the template was frozen.

        One frozen before Ignition needs its config, padded with blanks; ConfigError when that exceeds
        PADDED bytes.
        """
        instance = QemuInstance(
            spec,
            ignition,
            directory=directory,
            accelerator=self._accelerator,
            deadline=deadline,
            resuming=template.frozen,
            pad_ignition=PADDED if ignition is not None else None,
        )
        if ignition is None:
            # What this machine was given at its first boot, the template's.
            shutil.copyfile(template.frozen.directory / IGNITION_FILE, directory / IGNITION_FILE)
        return instance

    def _make(self, recipe: Recipe, partial: Path, deadline: Deadline) -> None:
        _clear(partial)
        make = self._boot_and_freeze if recipe.preparation is None else self._prepare_and_freeze
        try:
            make(recipe, partial, deadline)
        except BaseException:
            _clear(partial)
            raise

    def _boot_and_freeze(self, recipe: Recipe, partial: Path, deadline: Deadline) -> None:
        frozen = Frozen(partial.parent)
        access = Access(recipe.user, SshKey.generate("kola-template"), SshKey.generate("kola-host"))
        booted = recipe.stage is Stage.BOOTED
        instance = QemuInstance(
            recipe.machine,
            recipe.config(access) if booted else IgnitionConfig.empty(),
            directory=frozen.directory,
            accelerator=self._accelerator,
            deadline=deadline,
            freezing=frozen,
            pad_ignition=None if booted else PADDED,
        )
        machine = Machine(instance, access, scale=self._accelerator.scale)
        try:
            machine.limit(deadline)
            if booted:
                machine.wait_reachable()
                _settle(machine)
                # Frozen with a session open: its user manager is then running in every clone already.
            else:
                _wait_for_ignition(instance, deadline)
            instance.freeze(deadline)
        finally:
            machine.close()
        _seal(partial, access, machine)

    def _prepare_and_freeze(self, recipe: Recipe, partial: Path, deadline: Deadline) -> None:
        """Go on from the template without the preparation, on copies that become the new one."""
        assert recipe.preparation is not None
        base = self.obtain(replace(recipe, preparation=None), deadline=deadline)
        frozen = Frozen(partial.parent)
        copy(base.frozen, frozen, disks=len(recipe.spec.disks))
        shutil.copyfile(base.frozen.directory / IGNITION_FILE, frozen.directory / IGNITION_FILE)
        instance = QemuInstance(
            recipe.machine,
            None,
            directory=frozen.directory,
            accelerator=self._accelerator,
            deadline=deadline,
            freezing=frozen,
            resuming=base.frozen,
        )
        machine = Machine(instance, base.access, scale=self._accelerator.scale)
        try:
            machine.limit(deadline)
            machine.wait_resumed(base.boot_id, os.urandom(64), time.time())
            recipe.preparation.act(machine)
            _settle(machine)
            instance.freeze(deadline)
        finally:
            machine.close()
        _seal(partial, base.access, machine)


def made(key: str) -> bool:
    """Whether this user has the template of that key."""
    return _cache().path(key, _SEAL).is_file()


def _cache() -> ArtifactCache:
    return ArtifactCache(cache_root() / "templates")


def _settle(machine: Machine) -> None:
    """No machine is frozen that is not well, or half way through its boot."""
    machine.run("systemctl is-system-running --wait", timeout=300)
    machine.check_health()


def _seal(partial: Path, access: Access, machine: Machine) -> None:
    partial.write_text(json.dumps({"access": asdict(access), "boot_id": machine.boot_id}))


def _read(seal: Path) -> Template:
    data = json.loads(seal.read_text())
    access = data["access"]
    keys = Access(access["user"], SshKey(**access["key"]), SshKey(**access["host_key"]))
    return Template(Frozen(seal.parent), keys, data["boot_id"])


def _wait_for_ignition(instance: QemuInstance, deadline: Deadline) -> None:
    """Until the console shows that Ignition's first stage starts, long before it gets to reading."""
    while not _IGNITION_STARTS.search(instance.console.since(0)):
        if instance.incidents.fatal is not None:
            raise instance.incidents.fatal.error()
        if _BOOTED.search(instance.console.since(0)):
            raise MachineFailure("no-ignition", "it booted, and the console did not show Ignition start")
        deadline.check("waiting for Ignition to start", instance.console.text(1))
        instance.console.wait_growth(instance.console.total, min(0.5, deadline.remaining))


def _clear(partial: Path) -> None:
    """Remove what an earlier, interrupted attempt left beside `partial` in the template's directory."""
    for file in partial.parent.iterdir():
        if file != partial:
            with contextlib.suppress(FileNotFoundError):
                file.unlink()

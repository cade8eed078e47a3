"""Templates: machines that are booted once, frozen, and cloned for each test.

The recipe, the cache and the order of steps are the same on every platform. Freezing and resuming is
platform-specific: a platform implements Freezer.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
import shutil
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Protocol

from harness.artifact import ArtifactCache
from harness.errors import MachineFailure
from harness.ignition import IgnitionConfig
from harness.machine.arrival import Arrival
from harness.machine.boot import DiskImage, LiveIso, Primary
from harness.machine.health import WAIT_FOR_BOOT
from harness.machine.instance import Instance
from harness.machine.machine import Machine
from harness.machine.sessions import Access
from harness.machine.spec import NOTHING_REACHABLE, MachineSpec
from harness.machine.ssh import SshKey
from harness.util.deadline import Deadline
from harness.util.jsonfile import JsonFile
from harness.util.paths import cache_root

FORMAT = 5
PADDED = 64 * 1024
"""Bytes of every config given to a machine frozen before Ignition: fw_cfg keeps the size of that time."""

_SEAL = "template.json"
IGNITION_FILE = "ignition.json"
_IGNITION_STARTS = re.compile(rb"Ignition \(fetch|ignition-fetch")
_BOOTED = re.compile(rb"login: ")


class Stage(StrEnum):
    """The moment of freezing: booted and settled, or in the initramfs before Ignition reads its config."""

    BOOTED = "booted"
    BEFORE_IGNITION = "before-ignition"


@dataclass(frozen=True)
class Preparation:
    """An action on a booted machine before it is frozen. `identity` stands for everything that `act` does."""

    identity: str
    act: Callable[[Machine], None]


class Freezable(Instance, Protocol):
    """A running machine that was started to be frozen."""

    def freeze(self, deadline: Deadline) -> None:
        """Freeze the machine into the directory it was started with."""
        ...


class Freezer(Protocol):
    """The platform-specific part of templates: freezing and resuming.

    A template is a directory that it fills.
    """

    @property
    def scale(self) -> float:
        """The factor of deadlines."""
        ...

    def fingerprint(self, arch: str) -> list[str | float]:
        """Return the properties of the host without which a template made here does not resume."""
        ...

    def boot(
        self,
        spec: MachineSpec,
        given: IgnitionConfig | bytes | None,
        *,
        home: Path,
        deadline: Deadline,
        pad_to: int | None,
    ) -> Freezable:
        """Power on a machine that can be frozen in `home`; its config is padded to `pad_to` bytes."""
        ...

    def boot_again(self, spec: MachineSpec, source: Path, *, home: Path, deadline: Deadline) -> Freezable:
        """Resume from the template in `source`, with files in `home` for freezing again; `source` does not
        change.
        """
        ...

    def resume(
        self,
        spec: MachineSpec,
        source: Path,
        given: IgnitionConfig | bytes | None,
        *,
        directory: Path,
        deadline: Deadline,
        pad_to: int | None,
    ) -> Instance:
        """Resume a clone of the template in `source`; its writes stay private.

        Its files go into `directory`.
        """
        ...


Embed = Callable[[MachineSpec, IgnitionConfig], tuple[MachineSpec, IgnitionConfig | bytes | None]]


def as_given(spec: MachineSpec, config: IgnitionConfig) -> tuple[MachineSpec, IgnitionConfig | bytes | None]:
    """Nothing is embedded."""
    return spec, config


@dataclass(frozen=True)
class Recipe:
    """The parameters of a template. `image_identity` stands for the image's content.

    `config` returns the Ignition config for given keys, and the same config for the same keys. A recipe with
    a preparation continues from the template of the same recipe without it. `embed` puts the config into the
    medium of a machine that reads it there, and returns what is left to be given otherwise.
    """

    spec: MachineSpec
    image_identity: str
    user: str
    config: Callable[[Access], IgnitionConfig]
    stage: Stage = Stage.BOOTED
    preparation: Preparation | None = None
    embed: Embed = as_given

    @property
    def machine(self) -> MachineSpec:
        """The machine to boot and freeze: `spec` without services, since each clone has its own."""
        return replace(self.spec, reachable=NOTHING_REACHABLE)

    def key(self, freezer: Freezer) -> str:
        nobody = Access(self.user, SshKey("-", "ssh-ed25519 AAAA -"), SshKey("-", "ssh-ed25519 AAAA -"))
        shape = {
            "format": FORMAT,
            "spec": asdict(replace(self.machine, primary=_anywhere(self.spec))),
            "image": self.image_identity,
            "stage": self.stage,
            "config": self.config(nobody).to_json() if self.stage is Stage.BOOTED else "",
            "preparation": self.preparation.identity if self.preparation is not None else "",
            "platform": freezer.fingerprint(self.spec.arch),
        }
        if isinstance(self.spec.medium, LiveIso):
            shape["medium"] = _content(self.spec.medium)
        return hashlib.sha256(json.dumps(shape, sort_keys=True, default=str).encode()).hexdigest()[:32]


@dataclass(frozen=True)
class Template:
    """A frozen machine and the access to its clones, which all share its keys and machine-id."""

    directory: Path
    access: Access
    boot_id: str


class Templates:
    """The templates of this user, shared by all processes and runs."""

    def __init__(self, freezer: Freezer, cache: ArtifactCache | None = None) -> None:
        self._freezer = freezer
        self._cache = cache or _cache()

    def obtain(
        self, recipe: Recipe, *, deadline: Deadline, on_wait: Callable[[], None] | None = None
    ) -> Template:
        """Return the template of this recipe, which is booted and frozen now if there is none yet.

        Raises what a boot, or the recipe's preparation, may raise.
        """
        key = recipe.key(self._freezer)
        seal = self._cache.obtain(
            key, _SEAL, fill=lambda partial: self._make(recipe, partial, deadline), on_wait=on_wait
        )
        return _read(seal)

    def keys(self, recipe: Recipe) -> tuple[str, ...]:
        """Return the cache keys of the recipe's template and of the one it continues from, for `made`."""
        base = () if recipe.preparation is None else self.keys(replace(recipe, preparation=None))
        return (*base, recipe.key(self._freezer))

    def discard(self, template: Template) -> None:
        """Forget a template that does not resume. Running clones keep the files they have open."""
        self._cache.discard(template.directory.name, _SEAL)

    def clone(
        self,
        template: Template,
        spec: MachineSpec,
        *,
        directory: Path,
        deadline: Deadline,
        ignition: IgnitionConfig | bytes | None = None,
    ) -> Instance:
        """Return a machine that continues from the moment the template was frozen.

        A template frozen before Ignition needs the clone's config, padded with blanks. Raises ConfigError
        when it exceeds PADDED bytes.
        """
        instance = self._freezer.resume(
            spec,
            template.directory,
            ignition,
            directory=directory,
            deadline=deadline,
            pad_to=PADDED if ignition is not None else None,
        )
        if ignition is None:
            # The config of this machine's first boot is the template's.
            shutil.copyfile(template.directory / IGNITION_FILE, directory / IGNITION_FILE)
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
        access = Access(recipe.user, SshKey.generate("kola-template"), SshKey.generate("kola-host"))
        booted = recipe.stage is Stage.BOOTED
        config = recipe.config(access) if booted else IgnitionConfig.empty()
        spec, given = recipe.embed(recipe.machine, config)
        if given is None:
            text = config.redact().to_json(pretty=True)
            partial.with_name(IGNITION_FILE).write_text(text, encoding="utf-8", errors="surrogatepass")
        instance = self._freezer.boot(
            spec,
            given,
            home=partial.parent,
            deadline=deadline,
            pad_to=None if booted else PADDED,
        )
        machine = Machine(instance, access, scale=self._freezer.scale)
        try:
            machine.limit(deadline)
            if booted:
                machine.wait_reachable()
                _settle(machine)
                # Frozen with a session open, so that its user manager already runs in every clone.
            else:
                _wait_for_ignition(instance, deadline)
            instance.freeze(deadline)
        finally:
            machine.close()
        _seal(partial, access, machine)

    def _prepare_and_freeze(self, recipe: Recipe, partial: Path, deadline: Deadline) -> None:
        """Resume the template without the preparation, on copies that become the new template."""
        assert recipe.preparation is not None
        base = self.obtain(replace(recipe, preparation=None), deadline=deadline)
        home = partial.parent
        shutil.copyfile(base.directory / IGNITION_FILE, home / IGNITION_FILE)
        instance = self._freezer.boot_again(recipe.machine, base.directory, home=home, deadline=deadline)
        machine = Machine(instance, base.access, scale=self._freezer.scale)
        try:
            machine.limit(deadline)
            machine.wait_resumed(Arrival.new(base.boot_id))
            machine.arrive()
            recipe.preparation.act(machine)
            _settle(machine)
            instance.freeze(deadline)
        finally:
            machine.close()
        _seal(partial, base.access, machine)


@dataclass(frozen=True)
class _Sealed:
    """The content of a template's seal: the access to its clones, and the kernel's id of the frozen boot."""

    access: Access
    boot_id: str


_FORMAT = JsonFile(_Sealed, "the seal of a template")


def _anywhere(spec: MachineSpec) -> Primary | None:
    """Return the primary disk with the image's path removed, since it does not matter."""
    return replace(spec.primary, path=Path("-")) if isinstance(spec.primary, DiskImage) else spec.primary


def _content(medium: LiveIso) -> list[int]:
    """Return size, time and inode, which change with the content of the medium's file."""
    stat = medium.path.stat()
    return [stat.st_size, stat.st_mtime_ns, stat.st_ino]


def made(key: str) -> bool:
    """Return True when this user has the template of that key."""
    return _cache().path(key, _SEAL).is_file()


def templates_home() -> Path:
    """Return the directory with a directory for each template, named by its key."""
    return _cache().entries


def _cache() -> ArtifactCache:
    return ArtifactCache(cache_root() / "templates")


def _settle(machine: Machine) -> None:
    """Wait for the end of the boot and check health, so that no broken or booting machine is frozen.

    A boot that never ends, and in which nothing happens for a minute, is frozen as it is.
    """
    machine.run(f"most=60 enough=12{WAIT_FOR_BOOT}", timeout=400)
    machine.check_health()


def _seal(partial: Path, access: Access, machine: Machine) -> None:
    partial.write_text(_FORMAT.dump(_Sealed(access, machine.boot_id)), encoding="utf-8")


def _read(seal: Path) -> Template:
    sealed = _FORMAT.read(seal)
    return Template(seal.parent, sealed.access, sealed.boot_id)


def _wait_for_ignition(instance: Instance, deadline: Deadline) -> None:
    """Wait until the console shows the start of Ignition's first stage, long before it reads its config."""
    while not _IGNITION_STARTS.search(instance.console.since(0)):
        instance.incidents.check()
        if _BOOTED.search(instance.console.since(0)):
            raise MachineFailure("no-ignition", "it booted, and the console did not show Ignition start")
        deadline.check("waiting for Ignition to start", instance.console.text(1))
        instance.console.wait_growth(instance.console.total, min(0.5, deadline.remaining))


def _clear(partial: Path) -> None:
    """Remove the remains of an interrupted attempt beside `partial` in the template's directory."""
    for file in partial.parent.iterdir():
        if file != partial:
            with contextlib.suppress(FileNotFoundError):
                file.unlink()

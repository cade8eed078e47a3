"""The options of `kola spawn`, and the order that follows from them."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from harness.butane.load import LoadedConfig, load_butane, load_config
from harness.errors import ConfigError
from harness.machine.boot import NetworkBoot
from harness.util.userfile import read_user_text
from kola.keep.order import SpawnOrder, check_public_key
from kola.run.options import MachineOptions, Options, SubjectOptions
from kola.run.resolve import machine_plan
from kola.run.selection import DEFAULT_PLATFORM
from kola.run.subject import Tell

if TYPE_CHECKING:
    from harness.machine.spec import HostDirectory

LIFETIME_SECONDS = 4 * 3600.0


@dataclass(frozen=True, kw_only=True)
class SpawnOptions(Options):
    """The machines to be started. `lifetime` is seconds."""

    subject: SubjectOptions = field(default_factory=SubjectOptions)
    machine: MachineOptions = field(default_factory=MachineOptions)
    nodecount: int = 1
    platform: str = DEFAULT_PLATFORM
    lifetime: float = LIFETIME_SECONDS
    ignition: Path | None = None
    butane: Path | None = None
    key: tuple[Path, ...] = ()
    disk: tuple[str, ...] = ()
    nics: int = 0
    numa: bool = False
    kargs: str = ""
    firstbootkargs: str = ""
    bind_rw: tuple[HostDirectory, ...] = ()
    internet: bool = False
    display: bool = False
    iso_as_disk: bool = False
    cold: bool = False
    hostname: str = ""
    console: bool = False
    autologin: bool = False
    netboot: str = ""
    netboot_dir: Path | None = None

    def order(self, tell: Tell) -> SpawnOrder:
        """Find the subject and read the configs. Raises ConfigError for any user error."""
        config = self._config(tell)
        keys = tuple(_public_key(file) for file in self.key)
        netboot = _network_boot(self.netboot, self.netboot_dir) if self.netboot else None
        made = SpawnOrder(
            plan=machine_plan(self.subject, self.machine, platform=self.platform, tell=tell),
            count=self.nodecount,
            lifetime=self.lifetime,
            disks=self.disk,
            nics=self.nics,
            numa_nodes=self.numa,
            kernel_args=self.kargs,
            firstboot_kernel_args=self.firstbootkargs,
            host_directories=self.bind_rw,
            internet=self.internet,
            display=self.display,
            iso_as_disk=self.iso_as_disk,
            cold=self.cold,
            ignition=config.config.to_json() if config is not None else None,
            keys=keys,
            hostname=self.hostname,
            autologin=self.autologin,
            wait=not self.console,
            netboot=netboot,
        )
        made.request()
        return made

    def _config(self, tell: Tell) -> LoadedConfig | None:
        file = self.ignition or self.butane
        if file is None:
            return None
        if self.ignition is not None and self.butane is not None:
            raise ConfigError("a machine has one config of its own", hint="leave out --ignition, or --butane")
        loaded = load_config(file) if self.ignition is not None else load_butane(file)
        for warning in loaded.warnings:
            tell(f"{file}: warning: {warning}")
        return loaded


def _network_boot(file: str, directory: Path | None) -> NetworkBoot:
    """Return the boot file, a URL or a file served over TFTP. Raises ConfigError when there is no such file.

    The name of a file is relative to the directory, if one is named.
    """
    if "://" in file:
        return NetworkBoot(file)
    path = Path(os.path.normpath((directory or Path.cwd()) / file))
    if not path.is_file():
        raise ConfigError("no such file", file=path, hint="--netboot takes the path in --netboot-dir")
    served = directory or path.parent
    if not path.is_relative_to(served):
        raise ConfigError("is outside the directory that is served", file=path, hint="--netboot-dir names it")
    return NetworkBoot(f"/{path.relative_to(served)}", served)


def _public_key(file: Path) -> str:
    try:
        return check_public_key(read_user_text(file))
    except ConfigError as error:
        raise ConfigError(error.message, file=error.file or file, hint=error.hint) from None

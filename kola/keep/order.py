"""The order of `kola spawn` to a keeper, in the form that is sent to the keeper's process."""

from __future__ import annotations

from dataclasses import dataclass, replace

from harness.artifact import Distro
from harness.errors import ConfigError
from harness.ignition import IgnitionConfig, additions
from harness.installer.isoimage import IsoImage
from harness.machine.boot import EmptyDisk, NetworkBoot
from harness.machine.spec import Disk, HostDirectory, MachineSpec
from harness.util.jsonfile import JsonFile
from harness.util.sizes import parse_size
from kola.machines.keywords import check_names
from kola.machines.media import live_iso
from kola.machines.request import MachineRequest
from kola.run.plan import RunPlan

NETBOOT_DISK_GIB = 16
"""The size of the empty disk of a machine that boots from the network, unless another is asked for."""


@dataclass(frozen=True, kw_only=True)
class SpawnOrder:
    """Machines to be started and kept. `ignition` is the text of the user's own config, `keys` are public.

    `lifetime` is seconds. Without `wait` a machine is kept as soon as it is switched on.
    """

    plan: RunPlan
    count: int = 1
    lifetime: float
    disks: tuple[str, ...] = ()
    nics: int = 0
    numa_nodes: bool = False
    kernel_args: str = ""
    firstboot_kernel_args: str = ""
    host_directories: tuple[HostDirectory, ...] = ()
    internet: bool = False
    display: bool = False
    iso_as_disk: bool = False
    cold: bool = False
    ignition: str | None = None
    keys: tuple[str, ...] = ()
    hostname: str = ""
    autologin: bool = False
    wait: bool = True
    netboot: NetworkBoot | None = None

    def request(self) -> MachineRequest:
        """Return the request for the ordered machine. Raises ConfigError for an impossible machine."""
        return MachineRequest(
            self._spec(),
            ignition=self._config(),
            boot="cold" if self.cold else "auto",
            opt_out=check_names(),  # the user examines the machine's health
        )

    def _spec(self) -> MachineSpec:
        base, iso = self.plan.base_spec(), self.plan.live.iso
        if iso is not None:
            medium = live_iso(IsoImage(iso, self.distro), self.plan.arch, as_disk=self.iso_as_disk)
            base = replace(base, primary=None, medium=medium, primary_size=None)
        if self.netboot is not None:
            disk = EmptyDisk(_gib(base.primary_size) if base.primary_size else NETBOOT_DISK_GIB)
            base = replace(base, primary=disk, medium=self.netboot, primary_size=None)
        return replace(
            base,
            disks=tuple(Disk.parse(text) for text in self.disks),
            additional_nics=self.nics,
            numa_nodes=base.numa_nodes or self.numa_nodes,
            kernel_args=self.kernel_args,
            firstboot_kernel_args=self.firstboot_kernel_args,
            host_directories=(*base.host_directories, *self.host_directories),
            internet=self.internet,
            display=self.display,
        )

    @property
    def distro(self) -> Distro:
        return self.plan.distro

    def _config(self) -> IgnitionConfig | None:
        parts = [IgnitionConfig.parse(self.ignition)] if self.ignition is not None else []
        parts += [additions.ssh_access(self.distro.user, key) for key in self.keys]
        if self.autologin:
            parts.append(additions.autologin(self.distro.user))
        if self.hostname:
            file = additions.GuestFile(path="/etc/hostname", content=f"{self.hostname}\n")
            parts.append(additions.kola_files([file]))
        return parts[0].merge(*parts[1:]) if parts else None


def _gib(size: str) -> int:
    return -(-parse_size(size.removeprefix("+")) // (1 << 30))


FORMAT = JsonFile(SpawnOrder, "an order of machines")


def check_public_key(text: str) -> str:
    """Return the line of a public SSH key. Raises ConfigError."""
    words = text.split()
    if len(words) < 2 or not words[0].startswith(("ssh-", "ecdsa-", "sk-")):
        raise ConfigError("is no public SSH key", hint="name the file that ends in .pub")
    return text.strip()

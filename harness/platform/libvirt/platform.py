"""The Platform implementation for a libvirt daemon, here or on another host."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterable
from functools import cached_property
from pathlib import Path

from harness.errors import ConfigError, InfrastructureError
from harness.ignition import IgnitionConfig
from harness.machine.boot import DiskImage
from harness.machine.spec import MachineSpec
from harness.platform.base import TPM, USER_NETWORK, Capacity, Missing, ServiceNetwork
from harness.platform.hosts import HostEntry, from_uris
from harness.platform.libvirt import far, library, remote, room
from harness.platform.libvirt.files import Fresh
from harness.platform.libvirt.freezer import LibvirtFreezer
from harness.platform.libvirt.host import LibvirtHost
from harness.platform.libvirt.instance import LibvirtInstance
from harness.platform.libvirt.proof import emulator_of
from harness.platform.parts import frozen, tpm
from harness.platform.parts.given import GivenConfig
from harness.platform.parts.private import HubNetwork
from harness.platform.templates import Templates
from harness.util import host
from harness.util.deadline import Deadline

URI_VARIABLE = "KOLA_LIBVIRT_URI"
_DAEMON = "apt-get install libvirt-daemon-driver-qemu libvirt-daemon-system, or make libvirt-host"
_MEMBERS = "members of the group libvirt may use it; qemu:///session needs no group"
_BARRED = ("Permission denied", "authentication", "access denied")
_TELLINGS = 4
"""Number of messages about the copy of an image."""
_TOO_OLD = "that of the daemon is {}: use a newer one, or -p qemu"


def default_host() -> HostEntry:
    """Return the host of `KOLA_LIBVIRT_URI`, or of this user's default."""
    (entry,) = from_uris([os.environ.get(URI_VARIABLE) or library.default_uri()])
    return entry


class LibvirtPlatform:
    """Implements harness.platform.base.Platform with transient domains."""

    name = "libvirt"

    def __init__(self, arch: str = "x86_64", *, entry: HostEntry | None = None, network: str = "") -> None:
        """Without `entry` the daemon is the default one. `network` is libvirt's, to reach machines on."""
        self.arch = arch
        self.host = LibvirtHost(entry or default_host(), network=network)

    @cached_property
    def templates(self) -> Templates:
        return Templates(LibvirtFreezer(self.host))

    @property
    def scale(self) -> float:
        return self.host.proof.accelerator.scale

    @property
    def note(self) -> str:
        found = self.host.proof.accelerator
        return f"{found.name}, since {found.note}; deadlines ×{found.scale}" if found.note else ""

    def check_host(self) -> list[Missing]:
        """libvirt-python, a daemon that answers and knows QEMU, qemu-img, and swtpm for a TPM."""
        missing = []
        try:
            emulator_of(self.host.capabilities)
            if self.host.version < library.OLDEST:
                missing.append(
                    Missing(f"libvirt {_words(library.OLDEST)}", _TOO_OLD.format(_words(self.host.version)))
                )
        except ConfigError as error:
            absent = "libvirt-python" if error.hint == library.PACKAGES else "QEMU that libvirt knows"
            missing.append(Missing(absent, error.hint or ""))
        except InfrastructureError as error:
            barred = any(words in error.message for words in _BARRED)
            hint = f"{_MEMBERS if barred else _DAEMON}{self._there} ({error.message})"
            missing.append(Missing(f"libvirt daemon at {self.host.uri}", hint))
        if shutil.which("qemu-img") is None:
            missing.append(Missing("qemu-img", "apt-get install qemu-utils"))
        if (self.host.local or not missing) and not self._has_tpm():
            missing.append(Missing(TPM, f"apt-get install {TPM}{self._there}", essential=False))
        return missing

    @property
    def _there(self) -> str:
        """The place of a package to install, at the end of a hint."""
        return "" if self.host.local else f" on {self.host.entry.name}"

    def _has_tpm(self) -> bool:
        """On another host the TPM is libvirt's."""
        return tpm.available() if self.host.local else remote.has_tpm(self.host.domain_capabilities)

    def refuses(self, spec: MachineSpec) -> str:
        return self.host.refuses(spec)

    def launch(
        self,
        spec: MachineSpec,
        ignition: IgnitionConfig | bytes | None,
        *,
        directory: Path,
        deadline: Deadline,
    ) -> LibvirtInstance:
        return LibvirtInstance(
            spec, GivenConfig(ignition), Fresh(), directory=directory, host=self.host, deadline=deadline
        )

    def why_not_clone(self, spec: MachineSpec) -> str:
        if not self.host.local and (reason := far.obstacle(spec)):
            return reason
        if self.host.network:
            return "a clone has its template's address on a network of libvirt's"
        return frozen.obstacle(spec)

    def private_network(self) -> HubNetwork:
        return HubNetwork()

    def why_not_connect(self) -> str:
        """The hub of a private network is in this process, and hands QEMU its sockets."""
        return "" if self.host.local else "machines of another host have no private network"

    def capacity(self) -> Capacity:
        return room.capacity(self.host.connection().handle)

    def resident_memory(self, owners: Iterable[int]) -> dict[int, int]:
        """Those that this host counts, and here those of runs on the platform `qemu`."""
        wanted = list(owners)
        counted = room.counted_for(self.host.connection().handle, wanted)
        if self.place:
            return counted
        held = host.resident_memory(wanted)
        return {owner: counted[owner] or held[owner] for owner in wanted}

    @property
    def place(self) -> str:
        return self.host.place

    @property
    def lost(self) -> str:
        return self.host.lost

    def reconnect(self) -> None:
        self.host.connection()
        if not self.host.local:
            self.host.store()  # which removes the files that are still there from before

    def prepare(self, image: DiskImage, tell: Callable[[str], None]) -> None:
        if self.host.local:
            return
        told = 0

        def progress(sent: int, size: int) -> None:
            nonlocal told
            if sent >= told:
                name = self.host.entry.name
                tell(f"copying {image.path.name} to {name}: {sent >> 20} of {size >> 20} MiB")
                told = sent + size // _TELLINGS

        remote.image_on(self.host.store(), image.path, progress)

    def service_network(self) -> ServiceNetwork:
        return USER_NETWORK


def _words(version: int) -> str:
    return f"{version // 1_000_000}.{version // 1_000 % 1_000}.{version % 1_000}"

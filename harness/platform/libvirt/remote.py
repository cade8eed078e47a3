"""Machines on a host with which this process shares no files: their files are volumes there."""

from __future__ import annotations

import itertools
import json
from dataclasses import replace
from functools import cache
from pathlib import Path
from xml.etree import ElementTree

from harness.errors import ConfigError, InfrastructureError
from harness.machine.boot import DiskImage, KernelBoot, LiveIso, NetworkBoot
from harness.machine.spec import Firmware, MachineSpec
from harness.platform.libvirt.given import Files, Named
from harness.platform.libvirt.owners import Owner
from harness.platform.libvirt.volumes import Progress, Store, Volume
from harness.platform.parts import firmware
from harness.platform.parts.diskargs import DiskFile
from harness.util.process import run_tool

_LONGEST_DIRECTORY = 80
"""Bytes of a session's directory. The path of a socket has 107 at most (unix(7))."""

_numbers = itertools.count()


class Cargo:
    """The files of one machine's start on its host. `close` removes them there."""

    def __init__(self, store: Store, owner: Owner) -> None:
        self._store = store
        self._prefix = f"{owner.token}{next(_numbers)}-"
        self._sent: list[str] = []
        self._keep = ""

    def carry(self, spec: MachineSpec, files: Files, *, keep: str = "") -> Files:
        """Copy the files to the host; return their names there. Raises ConfigError, InfrastructureError.

        Disks whose names begin with `keep` stay there.
        """
        self._keep = keep
        primary = files.primary
        if primary is not None:
            base = spec.primary.path if isinstance(spec.primary, DiskImage) else None
            primary = self._disk(primary, "disk", base)
        return replace(
            files,
            primary=primary,
            disks=tuple(self._disk(disk, f"disk{n}", None) for n, disk in enumerate(files.disks, start=1)),
            medium=self._medium(spec, files.medium),
            ignition=self._optional(files.ignition, "ignition"),
            efi_variables=self._optional(files.efi_variables, "efi-variables"),
        )

    def close(self) -> None:
        self._store.remove(self._sent)
        self._sent.clear()

    def _disk(self, disk: DiskFile, name: str, base: Path | None) -> DiskFile:
        path = Path(disk.path)
        if base is not None:
            self._rebase(path, base)
        if self._keep:
            return replace(disk, path=self._store.send(path, self._keep + name).path)
        return replace(disk, path=self.send(path, name).path)

    def _medium(self, spec: MachineSpec, medium: Named | None) -> Named | None:
        if medium is None or not isinstance(spec.medium, LiveIso):
            return medium
        if medium.file.format == "raw":
            return replace(medium, path=Path(self._image(spec.medium.path).path))
        self._rebase(medium.path, spec.medium.path)
        return replace(medium, path=Path(self.send(medium.path, "medium").path))

    def _optional(self, path: Path | None, name: str) -> Path | None:
        return None if path is None else Path(self.send(path, name).path)

    def send(self, path: Path, name: str) -> Volume:
        """Copy a file to the host until `close`."""
        self._sent.append(f"{self._prefix}{name}")
        return self._store.send(path, self._sent[-1])

    def _image(self, path: Path) -> Volume:
        return image_on(self._store, path)

    def _rebase(self, overlay: Path, base: Path) -> None:
        """Have an overlay name its image as the host does."""
        told = json.loads(run_tool(["qemu-img", "info", "--output=json", str(overlay)]))
        format = str(told.get("backing-filename-format", "qcow2"))
        remote = self._image(base).path
        run_tool(["qemu-img", "rebase", "-q", "-u", "-b", remote, "-F", format, str(overlay)])


def with_sockets(files: Files, directory: str, name: str) -> Files:
    """Name the sockets of the machine `name`, in a directory of its session's user there.

    libvirt's own names for a session's sockets begin with the user's home, and are soon too long.
    """
    numbered = enumerate(channel for channel, _ in files.channels)
    named = tuple((channel, Path(directory, f"{name}.{number}")) for number, channel in numbered)
    return replace(files, channels=named)


def too_long(directory: str) -> str:
    """Return the reason why machines of a session cannot have sockets there; empty when they can."""
    if len(directory.encode()) <= _LONGEST_DIRECTORY:
        return ""
    return f"the name of its directory has more than {_LONGEST_DIRECTORY} bytes, too many for sockets there"


def image_on(store: Store, path: Path, progress: Progress = lambda sent, size: None) -> Volume:
    """Return the image on the host, copied if need be.

    Raises ConfigError for one that reads other files, InfrastructureError.
    """
    whole = path.resolve()
    if _reads_others(whole):
        raise ConfigError(
            "the image reads other files, which are not on the machines' host",
            file=path,
            hint="qemu-img convert makes a copy without them",
        )
    return store.image(whole, progress)


@cache
def _reads_others(path: Path) -> bool:
    told = json.loads(run_tool(["qemu-img", "info", "-U", "--output=json", str(path)]))
    details = told.get("format-specific", {}).get("data", {})
    return "backing-filename" in told or "data-file" in details


def obstacle(spec: MachineSpec, domain_capabilities: str) -> str:
    """Return the reason why a host with these capabilities (libvirt: formatdomaincaps), which shares no files
    with this one, cannot have such a machine; empty when it can.
    """
    if spec.reachable.forwards or spec.reachable.tftp is not None:
        return "services run on this host, and machines of another one do not reach them"
    if spec.host_directories:
        return "directories of this host are not there"
    if isinstance(spec.medium, KernelBoot | NetworkBoot):
        return "boot files of this host are not there"
    if spec.internet:
        return "a machine on the Internet needs a packet filter of this host"
    if spec.swtpm and not has_tpm(domain_capabilities):
        return "that host has no swtpm"
    if spec.firmware is not Firmware.BIOS:
        try:
            wanted = firmware.find(spec.firmware, spec.arch)
        except (ConfigError, InfrastructureError) as error:
            return str(error).splitlines()[0]
        told = ElementTree.fromstring(domain_capabilities)
        loaders = [value.text for value in told.findall("./os/loader/value")]
        if wanted is not None and str(wanted.code) not in loaders:
            return f"that host has no firmware {wanted.code}"
    return ""


def has_tpm(domain_capabilities: str) -> bool:
    """Return True when libvirt there gives machines an emulated TPM."""
    found = ElementTree.fromstring(domain_capabilities).findall(
        "./devices/tpm/enum[@name='backendModel']/value"
    )
    return any(value.text == "emulator" for value in found)

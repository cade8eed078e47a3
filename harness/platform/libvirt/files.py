"""The files and sockets that QEMU opens by name while it starts. None of them outlives the start."""

from __future__ import annotations

import errno
import os
import shutil
import socket
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from harness.errors import InfrastructureError
from harness.machine.spec import MachineSpec
from harness.platform.libvirt.given import Files, Named
from harness.platform.libvirt.owners import Owner, sockets_directory
from harness.platform.parts import disks, firmware, hostdirs, media, tpm
from harness.platform.parts.diskargs import DiskFile
from harness.platform.parts.frozen import Frozen
from harness.platform.parts.loopback import LoopbackGuard, LoopbackRule
from harness.platform.parts.specdisks import SpecDisks
from harness.platform.parts.storage import Freezing, FreshOverlay, Resuming, ResumingToFreeze, Storage

_ACCEPT_SECONDS = 30.0


@dataclass(frozen=True)
class Fresh:
    """A cold boot."""

    def storage(self, home: Path) -> Storage:
        return FreshOverlay(home)


@dataclass(frozen=True)
class Clone:
    """A clone of the template `source`."""

    source: Frozen

    def storage(self, home: Path) -> Storage:
        return Resuming(self.source, home)


@dataclass(frozen=True)
class Kept:
    """A machine that will be frozen, on files that stay."""

    files: Freezing | ResumingToFreeze

    def storage(self, home: Path) -> Storage:
        return self.files


Origin = Fresh | Clone | Kept


@contextmanager
def on_this_host() -> Iterator[None]:
    """Turn errors of this host's file systems into InfrastructureError."""
    try:
        yield
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        cause = "host-disk-full" if full else "no-scratch"
        raise InfrastructureError(f"cannot make the files of a machine: {error}", cause=cause) from None


class Workplace:
    """The directories of one machine's start: `files` on the disks' file system, `sockets` with short paths.

    Both go with `close`; a killed process's are found by the owner's token.
    """

    def __init__(self, owner: Owner) -> None:
        self._owned = ExitStack()
        try:
            self.files = self._directory(owner, disks.scratch_directory())
            self.sockets = self._directory(owner, sockets_directory())
        except BaseException:
            self._owned.close()
            raise

    def _directory(self, owner: Owner, parent: Path) -> Path:
        made = Path(tempfile.mkdtemp(prefix=owner.token, dir=parent))
        self._owned.callback(shutil.rmtree, made, ignore_errors=True)
        return made

    def remove_files(self) -> None:
        """Remove the files: QEMU has opened them."""
        shutil.rmtree(self.files, ignore_errors=True)

    def close(self) -> None:
        self._owned.close()


class Guard:
    """The packet filter of a machine on the Internet: QEMU connects to two sockets (parts.loopback)."""

    def __init__(self, spec: MachineSpec, directory: Path, owned: ExitStack) -> None:
        self.paths = (directory / "out", directory / "in")
        self._spec = spec
        self._owned = owned
        self._listeners = []
        for path in self.paths:
            listener = owned.enter_context(socket.socket(socket.AF_UNIX))
            listener.bind(str(path))
            listener.listen(1)
            listener.settimeout(_ACCEPT_SECONDS)
            self._listeners.append(listener)

    def accept(self) -> tuple[socket.socket, LoopbackGuard]:
        """Return the stream of frames from QEMU, and its reader. Raises InfrastructureError."""
        try:
            frames, back = (listener.accept()[0] for listener in self._listeners)
        except TimeoutError:
            raise InfrastructureError("QEMU does not use its packet filter", cause="no-filter") from None
        for end in (frames, back):
            self._owned.callback(end.close)
        back.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
        services = [(forward.address, forward.port) for forward in self._spec.reachable.forwards]
        return frames, LoopbackGuard(back, LoopbackRule(services).permits)


def open_files(
    spec: MachineSpec,
    origin: Origin,
    config: bytes | None,
    place: Workplace,
    *,
    owned: ExitStack,
    local: bool = True,
    with_disks: bool = True,
) -> tuple[Files, Guard | None]:
    """Make everything that QEMU opens by name. Helper processes live on `owned`.

    Unless the machine is `local`, its sockets are libvirt's, since it cannot have ours, and disks that it
    does not share with this host are made elsewhere.

    Raises ConfigError for what host or image lack, InfrastructureError.
    """
    storage = origin.storage(place.files) if local else FreshOverlay(place.files)
    found = firmware.find(spec.firmware, spec.arch)
    with ExitStack() as opened:
        opener = SpecDisks(spec, storage, opened)
        primary = opener.primary() if with_disks else None
        additional = opener.additional() if with_disks else ()
        medium = media.open_medium(spec, storage, opened, home=place.files)
        files = Files(
            channels=tuple(
                (channel, place.sockets / f"c{number}" if local else None)
                for number, channel in enumerate(spec.channels)
            ),
            primary=None if primary is None else _named(primary),
            disks=tuple(_named(disk) for disk in additional),
            medium=None if medium is None else Named(medium, _path(medium.descriptor)),
            firmware=found,
            memory=storage.memory(),
            incoming=storage.source is not None,
        )
    if config is not None:
        files = replace(files, ignition=_write(place.files / "ignition", config))
    if found is not None:
        variables = found.variables.read_bytes()
        files = replace(files, efi_variables=_write(place.files / "efi-variables", variables))
    if not local:
        return replace(files, tpm_of_libvirt=spec.swtpm), None
    if spec.swtpm:
        files = replace(files, tpm=place.sockets / "tpm")
        tpm.listen(owned, place.sockets / "tpm")
    shared = []
    for number, directory in enumerate(spec.host_directories):
        shared.append(place.sockets / f"h{number}")
        hostdirs.listen(directory, owned, shared[-1])
    guard = Guard(spec, place.sockets, owned) if spec.network and spec.internet else None
    return replace(files, host_directories=tuple(shared), guard=guard.paths if guard else ()), guard


def _named(disk: DiskFile) -> DiskFile:
    return replace(disk, path=str(_path(disk.descriptor)))


def _path(descriptor: int) -> Path:
    return Path(f"/proc/self/fd/{descriptor}").readlink()


def _write(path: Path, content: bytes) -> Path:
    descriptor = disks.new_file(path)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
    return path

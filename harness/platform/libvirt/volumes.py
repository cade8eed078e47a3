"""Files on a daemon's host: volumes in a storage pool that is kola's own (libvirt: formatstorage)."""

from __future__ import annotations

import contextlib
import hashlib
import os
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree import ElementTree
from xml.etree.ElementTree import Element, SubElement

from harness.errors import ConfigError
from harness.platform.libvirt.library import load, translated
from harness.platform.libvirt.owners import abandoned, scratch_prefix
from harness.util.deadline import Deadline

POOL = "kola"
DIRECTORY = "/var/lib/libvirt/images/kola"
"""The directory of a system daemon's pool, unless the file of hosts names another."""

_BUILD = 1  # libvirt's VIR_STORAGE_POOL_CREATE_WITH_BUILD
_NO_POOL, _NO_VOLUME, _EXISTS = 49, 50, 90  # libvirt's virErrorNumber
_PIECE = 256 * 1024
_STALLED_SECONDS = 60.0
_UPLOAD_SECONDS = 3600.0
_LOOK_AGAIN = 0.5

Progress = Callable[[int, int], None]
"""Called with the bytes sent so far, and their number in all."""


@dataclass(frozen=True)
class Volume:
    """A file on the host; `path` is its name there."""

    name: str
    path: str


class Store:
    """The pool of one daemon. `owner` are the numbers of the user as whom QEMU runs there, if it is told."""

    def __init__(self, handle: Any, directory: str, owner: tuple[int, int] | None) -> None:
        self._handle = handle
        self._owner = owner
        self._made: set[str] = set()
        self._pool = self._open(directory)

    def _open(self, directory: str) -> Any:
        library = load()
        with translated(f"opening the storage pool {POOL}"):
            try:
                return self._handle.storagePoolLookupByName(POOL)
            except library.libvirtError as error:
                if error.get_error_code() != _NO_POOL:
                    raise
            try:
                return self._handle.storagePoolCreateXML(_pool_xml(directory), _BUILD)
            except library.libvirtError:
                # Another process may have made it meanwhile; else this says what is wrong.
                with contextlib.suppress(library.libvirtError):
                    return self._handle.storagePoolLookupByName(POOL)
                raise

    @property
    def directory(self) -> str:
        """The pool's directory, which another run may have chosen. Raises InfrastructureError."""
        with translated(f"opening the storage pool {POOL}"):
            return ElementTree.fromstring(self._pool.XMLDesc(0)).findtext("./target/path") or ""

    def add(self, name: str, size: int) -> Volume:
        """Make an empty file of `size` bytes, without room for them yet. Raises InfrastructureError."""
        with translated(f"making the file {name}"):
            return self._make(name, size)

    def _make(self, name: str, size: int) -> Volume:
        self._made.add(name)  # before it is known whether the daemon's answer arrives
        volume = self._pool.createXML(_volume_xml(name, size, self._owner), 0)
        return Volume(name, str(volume.path()))

    def send(self, source: Path, name: str, progress: Progress = lambda sent, size: None) -> Volume:
        """Copy a file to the host; one without data only gets its size. Raises InfrastructureError."""
        size = source.stat().st_size
        made = self.add(name, size)
        if not _is_empty(source):
            try:
                self._upload(source, name, size, progress)
            except BaseException:
                self.remove([name])
                raise
        return made

    def _upload(self, source: Path, name: str, size: int, progress: Progress) -> None:
        with translated(f"copying {source.name} to the host"):
            volume = self._pool.storageVolLookupByName(name)
            stream = self._handle.newStream(0)
            volume.upload(stream, 0, size, 0)
            sent = 0
            try:
                with source.open("rb") as file:
                    while data := file.read(_PIECE):
                        view = memoryview(data)
                        while view:
                            count = stream.send(bytes(view))
                            view = view[count:]
                            sent += count
                        progress(sent, size)
                stream.finish()
            except BaseException:
                with contextlib.suppress(load().libvirtError):
                    stream.abort()
                raise

    def names(self) -> list[str]:
        """Return the names of all files."""
        with translated("listing the host's files"):
            return [str(name) for name in self._pool.listVolumes()]

    def copy(self, source: str, name: str) -> Volume:
        """Copy a file on the host itself. Raises InfrastructureError."""
        with translated(f"copying {source} on the host"):
            old = self._pool.storageVolLookupByName(source)
            xml = _volume_xml(name, int(old.info()[1]), self._owner)
            return Volume(name, str(self._pool.createXMLFrom(xml, old, 0).path()))

    def receive(self, name: str, target: Path) -> None:
        """Copy a file of the host into `target`. Raises InfrastructureError."""
        with translated(f"copying {name} from the host"), target.open("wb") as file:
            volume = self._pool.storageVolLookupByName(name)
            stream = self._handle.newStream(0)
            volume.download(stream, 0, 0, 0)
            stream.recvAll(lambda _, data, __: file.write(data), None)
            stream.finish()

    def remove(self, names: list[str]) -> None:
        """Remove files; QEMU may still have them open."""
        error = load().libvirtError
        for name in names:
            with contextlib.suppress(error):
                self._pool.storageVolLookupByName(name).delete(0)
                self._made.discard(name)

    def finish(self, earlier: Store, prefix: str) -> None:
        """Remove the files with names of this prefix that a store on a lost connection has made."""
        left = {name for name in earlier._made if name.startswith(prefix)}
        self._made |= left  # for the next one, when this connection is lost, too
        self.remove(sorted(left))

    def reap(self) -> None:
        """Remove files that dead processes of this host left there."""
        error = load().libvirtError
        with contextlib.suppress(error):
            names = [name for name in self._pool.listVolumes() if name.startswith(scratch_prefix())]
            self.remove([name for name in names if abandoned(name)])

    def image(self, source: Path, progress: Progress = lambda sent, size: None) -> Volume:
        """Return the file on the host with the content of `source`, copied if no run has done so before.

        Of several processes that want it, one copies it and the others wait. Raises InfrastructureError.
        """
        digest = digest_of(source)
        name, seal = f"{digest}.img", f"{digest}.ok"
        deadline = Deadline(_UPLOAD_SECONDS)
        while True:
            if (path := self._path_of(name)) is None:
                self.remove([seal])  # somebody has deleted the image, and not its seal
            elif self._path_of(seal) is not None:
                return Volume(name, path)
            if self._copy_image(source, name, seal, progress):
                continue
            self._wait_for(name, seal, deadline)

    def _path_of(self, name: str) -> str | None:
        """Return a file's path on the host; None when there is none of this name."""
        library = load()
        with translated(f"looking for the file {name}"):
            try:
                return str(self._pool.storageVolLookupByName(name).path())
            except library.libvirtError as error:
                if error.get_error_code() != _NO_VOLUME:
                    raise
        return None

    def _copy_image(self, source: Path, name: str, seal: str, progress: Progress) -> bool:
        """Copy the image unless its file exists already. To make the file is to have the lock on it."""
        size = source.stat().st_size
        with translated("copying the image to the host"):
            try:
                self._make(name, size)
            except load().libvirtError as error:
                if error.get_error_code() != _EXISTS:
                    raise
                return False
        try:
            self._upload(source, name, size, progress)
            self.add(seal, 1)
        except BaseException:
            self.remove([name])
            raise
        return True

    def _wait_for(self, name: str, seal: str, deadline: Deadline) -> None:
        """Wait for another process to copy the image; when it has stopped doing so, remove its file."""
        seen, quiet = -1, Deadline(_STALLED_SECONDS)

        def settled() -> bool:
            nonlocal seen, quiet
            with contextlib.suppress(load().libvirtError):
                self._pool.storageVolLookupByName(seal)
                return True
            try:
                grown = int(self._pool.storageVolLookupByName(name).info()[2])
            except load().libvirtError:
                return True  # its maker has given up
            if grown != seen:
                seen, quiet = grown, Deadline(_STALLED_SECONDS)
            elif quiet.expired:
                self.remove([name])
                return True
            return False

        deadline.poll(settled, step="waiting for another run to copy the image", interval=_LOOK_AGAIN)


_digests: dict[tuple[str, int, int, int], str] = {}
_digests_guard = threading.Lock()


def digest_of(path: Path) -> str:
    """Return the SHA-256 of a file's content, read once per process while the file does not change."""
    stat = path.stat()
    key = (str(path), stat.st_ino, stat.st_size, stat.st_mtime_ns)
    with _digests_guard:
        if key not in _digests:
            with path.open("rb") as file:
                _digests[key] = hashlib.file_digest(file, "sha256").hexdigest()
        return _digests[key]


def directory_for(uri_is_session: bool, named: str) -> str:
    """Return the directory of the pool on the host. Raises ConfigError for a session without one."""
    if named:
        return named
    if uri_is_session:
        raise ConfigError(
            "a session daemon of another host has no directory for images",
            hint='give the host a directory = "…" in the file of --hosts',
        )
    return DIRECTORY


def _is_empty(path: Path) -> bool:
    """Return True for a file that is one hole (lseek(2), SEEK_DATA)."""
    with path.open("rb") as file:
        try:
            os.lseek(file.fileno(), 0, os.SEEK_DATA)
        except OSError:
            return True
    return False


def _pool_xml(directory: str) -> str:
    pool = Element("pool", type="dir")
    SubElement(pool, "name").text = POOL
    target = SubElement(pool, "target")
    SubElement(target, "path").text = directory
    permissions = SubElement(target, "permissions")
    SubElement(permissions, "mode").text = "0711"
    return ElementTree.tostring(pool, encoding="unicode")


def _volume_xml(name: str, size: int, owner: tuple[int, int] | None) -> str:
    """Return the XML of a raw file, whatever it contains: so it has this size, and keeps every byte."""
    volume = Element("volume")
    SubElement(volume, "name").text = name
    SubElement(volume, "capacity", unit="bytes").text = str(size)
    SubElement(volume, "allocation", unit="bytes").text = "0"
    target = SubElement(volume, "target")
    SubElement(target, "format", type="raw")
    permissions = SubElement(target, "permissions")
    SubElement(permissions, "mode").text = "0600"
    if owner is not None:
        SubElement(permissions, "owner").text = str(owner[0])
        SubElement(permissions, "group").text = str(owner[1])
    return ElementTree.tostring(volume, encoding="unicode")

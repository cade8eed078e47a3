"""A live ISO of a build, and copies of it with an embedded config, network or kernel arguments."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from harness.artifact import Distro
from harness.errors import ConfigError
from harness.installer import initrd
from harness.installer.copies import copy_with
from harness.installer.iso9660 import Iso9660
from harness.installer.kargs import KargsAreas, KargsEdit
from harness.machine.boot import LiveIso, Overwrite
from harness.util.jsonfile import JsonFile

_PXE_DIRECTORY = "images/pxeboot"
_FEATURES = JsonFile(dict[str, object], "a list of features")


@dataclass(frozen=True)
class Embedded:
    """The data to embed in a copy of a live ISO."""

    config: bytes | None = None
    keyfiles: Mapping[str, str] = field(default_factory=dict)
    kargs: KargsEdit = field(default_factory=KargsEdit)


class IsoImage:
    """The live ISO at `path`.

    The distribution determines the paths of its own files. The image is never written.
    """

    def __init__(self, path: Path, distro: Distro) -> None:
        self.path = path
        self._distro = distro
        self.iso = Iso9660(path)

    @property
    def volume_id(self) -> str:
        return self.iso.volume_id

    @cached_property
    def kargs(self) -> KargsAreas:
        return KargsAreas.of(self.iso, self._distro.installer.iso_dir)

    @cached_property
    def initrd(self) -> initrd.InitrdArea:
        return initrd.InitrdArea.of(self.iso, self._distro.installer.iso_dir)

    @cached_property
    def features(self) -> dict[str, object]:
        """The content of `features.json`; empty for an image without it."""
        entry = self.iso.find(f"{self._distro.installer.iso_dir.strip('/')}/features.json")
        if entry is None:
            return {}
        return _FEATURES.load(self.iso.read(entry).decode(errors="replace"), file=self.path)

    def overwrites(self, what: Embedded) -> list[Overwrite]:
        """Return the changed bytes. Raises ConfigError for data that the image cannot hold."""
        changed = []
        if what.keyfiles and not self.features.get("live-initrd-network"):
            raise ConfigError(
                "the image takes no network configuration",
                file=self.path,
                hint="it lacks the feature live-initrd-network",
            )
        if what.config is not None or what.keyfiles:
            files = self.initrd.members() | initrd.members(
                config=what.config, keyfiles=what.keyfiles, network_dir=network_dir(self._distro)
            )
            changed.append(self.initrd.written(files))
        if what.kargs != KargsEdit():
            changed += self.kargs.written(what.kargs.apply(self.kargs.current))
        return changed

    def medium(self, what: Embedded, *, as_disk: bool = False) -> LiveIso:
        """Return a medium that boots this image with `what` embedded.

        Only the machine's overlay is written.
        """
        return LiveIso(self.path, as_disk=as_disk, overwrites=tuple(self.overwrites(what)))

    def copy(self, what: Embedded, target: Path) -> Path:
        """Write a plain ISO file to `target`, for the installer's own tools."""
        return copy_with(self.path, self.overwrites(what), target)

    def extract_pxe(self, directory: Path) -> dict[str, Path]:
        """Write the components of a network boot, called `STEM-vmlinuz` and so on, as `iso extract pxe` does.

        The keys are `vmlinuz`, `initrd.img` and `rootfs.img`. Raises ConfigError when one exists already.
        """
        files = {}
        for entry in self.iso.entries(self.iso.require(_PXE_DIRECTORY)):
            name = entry.primary_name.lower()
            target = directory / f"{self.path.stem}-{name}"
            try:
                with target.open("xb") as file:
                    file.write(self.iso.read(entry))
            except FileExistsError as error:
                raise ConfigError("exists", file=target, hint="choose an empty directory") from error
            files[name] = target
        return files


def network_dir(distro: Distro) -> str:
    """Return the directory in which the live initramfs looks for keyfiles: `etc/nestos-firstboot-network`."""
    return f"etc/{distro.karg_prefix}-firstboot-network"

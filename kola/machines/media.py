"""Machines that boot a live ISO: their config is embedded in the medium, where live systems look for it."""

from __future__ import annotations

from dataclasses import replace

from harness.artifact import Distro
from harness.artifact.distro import console_device
from harness.ignition import IgnitionConfig
from harness.installer.isoimage import Embedded, IsoImage
from harness.installer.kargs import KargsEdit
from harness.machine.boot import LiveIso
from harness.machine.spec import MachineSpec

Config = IgnitionConfig | bytes | None


def embedded(spec: MachineSpec, config: Config, distro: Distro) -> tuple[MachineSpec, Config]:
    """Embed the config if the machine boots a live ISO.

    Returns the machine and the config still to be passed.

    Raises ConfigError when the image has no room for it.
    """
    if not isinstance(spec.medium, LiveIso) or not isinstance(config, IgnitionConfig):
        return spec, config
    image = IsoImage(spec.medium.path, distro)
    added = image.overwrites(Embedded(config=config.to_bytes()))
    medium = replace(spec.medium, overwrites=(*spec.medium.overwrites, *added))
    return replace(spec, medium=medium), None


def live_iso(image: IsoImage, arch: str, *, as_disk: bool = False) -> LiveIso:
    """Return the image as a medium whose system uses the serial console."""
    console = f"console={console_device(arch)},115200n8"
    return image.medium(Embedded(kargs=KargsEdit(append=(console,))), as_disk=as_disk)

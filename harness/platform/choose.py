"""The only module that imports concrete platforms. Other modules ask it for a platform by name."""

from __future__ import annotations

from harness.errors import ConfigError
from harness.platform.base import Platform
from harness.util.suggest import did_you_mean

LIBVIRT = "libvirt"
NAMES = ("qemu", LIBVIRT)


def choose(name: str, arch: str, *, uri: str = "") -> Platform:
    """Return the platform of this name for machines of `arch`. `uri` names the daemon of `libvirt`.

    Raises ConfigError for an unknown name, or a URI that is not supported.

    Nothing is probed yet: that happens when the first machine is launched, or `scale` is read.
    """
    if name == "qemu":
        from harness.platform.qemu.platform import QemuPlatform

        return QemuPlatform(arch)
    if name == LIBVIRT:
        from harness.platform.libvirt.platform import LibvirtPlatform

        return LibvirtPlatform(arch, uri)
    raise ConfigError(f"platform {name!r} cannot be run here", hint=did_you_mean(name, NAMES))


def qemu_accelerator(arch: str) -> list[str]:
    """Return QEMU's arguments for the accelerator that works on this host, for a tool that starts QEMU
    itself.
    """
    from harness.platform.parts.accel import proven

    accelerator = proven(arch)
    return ["-accel", accelerator.argument, "-cpu", accelerator.cpu]


def require_host(platform: Platform) -> frozenset[str]:
    """Return the names of optional things that the host lacks.

    Raises ConfigError for the first essential one.
    """
    missing = platform.check_host()
    for thing in missing:
        if thing.essential:
            raise ConfigError(f"this host has no {thing.name}", hint=thing.hint)
    return frozenset(thing.name for thing in missing)

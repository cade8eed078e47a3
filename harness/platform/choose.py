"""The only module that imports concrete platforms. Other modules ask it for a platform by name."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from harness.errors import ConfigError
from harness.machine.route import SshRoute
from harness.platform.base import Platform
from harness.platform.fleet import Fleet, Member
from harness.platform.hosts import HostEntry, from_uris
from harness.util.suggest import did_you_mean

LIBVIRT = "libvirt"
NAMES = ("qemu", LIBVIRT)


def choose_fleet(
    name: str,
    arch: str,
    hosts: Sequence[HostEntry] = (),
    *,
    network: str = "",
    tell: Callable[[str], None] = lambda text: None,
) -> Fleet:
    """Return the hosts of a run on the platform of this name. Without `hosts` there is the user's default.

    `network` is libvirt's, for machines that are reached there. Raises ConfigError as `choose` does.
    """
    if name != LIBVIRT:
        return Fleet([Member(HostEntry(), choose(name, arch))], tell=tell)
    from harness.platform.libvirt.platform import LibvirtPlatform, default_host

    members = [
        Member(entry, LibvirtPlatform(arch, entry=entry, network=network))
        for entry in hosts or (default_host(),)
    ]
    return Fleet(members, tell=tell)


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

        return LibvirtPlatform(arch, entry=from_uris([uri])[0] if uri else None)
    raise ConfigError(f"platform {name!r} cannot be run here", hint=did_you_mean(name, NAMES))


def route_through(entry: HostEntry, address: str) -> SshRoute:
    """Return the route to port 22 of an address that the host of a libvirt daemon can reach."""
    from harness.platform.libvirt.library import jump_host

    jump = jump_host(entry)
    return SshRoute(address) if jump is None else SshRoute(address, 22, jump.destination, jump.options)


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


def require_hosts(fleet: Fleet, tell: Callable[[str], None]) -> tuple[tuple[Member, ...], frozenset[str]]:
    """Return the hosts on which machines run, and the optional things that some of them lack.

    Hosts that cannot be used are told by name. Raises ConfigError when none is left.
    """
    if len(fleet.members) == 1:
        return fleet.members, require_host(fleet.members[0].platform)
    with ThreadPoolExecutor(len(fleet.members)) as pool:
        answers = list(pool.map(lambda member: member.platform.check_host(), fleet.members))
    usable: list[Member] = []
    lacking: set[str] = set()
    refused: list[str] = []
    for member, missing in zip(fleet.members, answers, strict=True):
        essential = [thing for thing in missing if thing.essential]
        if essential:
            refused.append(f"{member.name} has no {essential[0].name}: {essential[0].hint}")
            continue
        usable.append(member)
        lacking |= {thing.name for thing in missing}
    if not usable:
        raise ConfigError(f"no host of the pool can be used: {'; '.join(refused)}", hint="kola platforms")
    for words in refused:
        tell(f"host {words}; the run goes on without it")
    return tuple(usable), frozenset(lacking)

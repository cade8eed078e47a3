"""The flags of `kola spawn`."""

from __future__ import annotations

import argparse
from dataclasses import replace
from typing import TYPE_CHECKING

from kola.run.argtypes import duration, firmware, host_directory, path, size, whole, workdir
from kola.run.arguments import add_disk_options, add_host_arguments
from kola.run.parser import Switch, titled_group
from kola.run.selection import DEFAULT_PLATFORM

if TYPE_CHECKING:
    from harness.machine.spec import HostDirectory

MOST_MIB = 16 * 1024 * 1024


def add_subject(parser: argparse.ArgumentParser) -> None:
    """Add the flags for the system of the machines."""
    group = parser.add_argument_group("the system")
    group.add_argument("--workdir", type=workdir, metavar="DIR", help="the build directory (`none` for none)")
    group.add_argument("--build", default="latest", metavar="ID", help="build id, latest, or -1, -2 …")
    group.add_argument("--arch", metavar="ARCH", help="the architecture of the build")
    group.add_argument(
        "-b", "--distro", metavar="DISTRO", help="the distribution, where the build does not say"
    )
    group.add_argument("--qemu-image", type=path, metavar="FILE", help="a disk image instead of a build")
    group.add_argument("--qemu-iso", type=path, metavar="FILE", help="a live ISO instead of a build")
    group.add_argument("--qemu-iso-as-disk", dest="iso_as_disk", action=Switch, help="attach it as a disk")


def add_platform(parser: argparse.ArgumentParser) -> None:
    """Add the flags for the platform of the machines."""
    group = parser.add_argument_group("its host")
    group.add_argument("-p", "--platform", default=DEFAULT_PLATFORM, help="qemu (the default) or libvirt")
    add_host_arguments(group, all_flags=False)


def add_config(parser: argparse.ArgumentParser) -> None:
    """Add the flags for the first boot's config."""
    group = titled_group(parser, "the machine")
    group.add_argument(
        "-i", "--ignition", "-u", "--userdata", type=path, metavar="FILE", help="Ignition, or Butane in *.bu"
    )
    group.add_argument("-B", "--butane", type=path, metavar="FILE", help="Butane")
    group.add_argument(
        "-k", "--key", action="append", default=[], type=path, metavar="FILE", help="let this public key in"
    )
    group.add_argument("--hostname", default="", metavar="NAME", help="its host name")


def add_hardware(parser: argparse.ArgumentParser) -> argparse._ArgumentGroup:
    """Add the flags for the machine itself. Returns their group."""
    group = titled_group(parser, "the machine")
    group.add_argument(
        "-m",
        "--memory",
        "--qemu-memory",
        dest="qemu_memory",
        type=whole(64, MOST_MIB, "a number of MiB"),
        metavar="MIB",
        help="memory",
    )
    group.add_argument(
        "--cpus",
        dest="qemu_cpus",
        type=whole(1, 4096, "a number of CPUs"),
        default=1,
        metavar="N",
        help="number of CPUs (1)",
    )
    group.add_argument(
        "--firmware",
        "--qemu-firmware",
        dest="qemu_firmware",
        type=firmware,
        metavar="KIND",
        help="bios, uefi or uefi-secure",
    )
    group.add_argument(
        "--size", "--qemu-size", dest="qemu_size", type=size, metavar="[+]SIZE", help="of the primary disk"
    )
    add_disk_options(group)
    group.add_argument(
        "-D",
        "--disk",
        "--add-disk",
        action="append",
        default=[],
        metavar="SIZE[:OPT,…]",
        help="one more disk",
    )
    group.add_argument(
        "--nics",
        "--additional-nics",
        type=whole(0, 16, "a number of NICs"),
        default=0,
        metavar="N",
        help="more NICs",
    )
    group.add_argument("-n", "--numa", "--numaNodes", action=Switch, help="with two NUMA nodes")
    group.add_argument("--kargs", default="", metavar="ARGS", help="kernel arguments")
    group.add_argument("--firstbootkargs", default="", metavar="ARGS", help="those of the first boot only")
    group.add_argument(
        "--bind-ro",
        dest="qemu_bind_ro",
        action="append",
        default=[],
        type=host_directory,
        metavar="HOST[,GUEST]",
        help="show a directory of this host",
    )
    group.add_argument(
        "--bind-rw",
        action="append",
        default=[],
        type=writable_directory,
        metavar="HOST[,GUEST]",
        help="the same, to be written to",
    )
    group.add_argument("--internet", action=Switch, help="let it reach the Internet")
    group.add_argument("--display", action=Switch, help="with a display, for kola screenshot")
    return group


def add_cold(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--cold", action=Switch, help="boot it from the start, even if it could be cloned")


def add_lifetime(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--lifetime",
        type=duration,
        default=argparse.SUPPRESS,
        metavar="TIME",
        help="end it after this time, such as 90m (4h)",
    )


def writable_directory(text: str) -> HostDirectory:
    """Parse like `host_directory`, but writable."""
    return replace(host_directory(text), writable=True)

"""Machines that libvirt cannot run as QEMU itself does. They are refused before anything is started."""

from __future__ import annotations

import re

from harness.machine.boot import NetworkBoot
from harness.machine.disk import DiskOptions
from harness.machine.spec import MachineSpec

_MOST_DISKS = 25
"""Each has a letter, and a medium has the last one."""

# The characters that libvirt takes in a disk's serial (src/qemu/qemu_validate.c).
_SERIAL = re.compile(r"[A-Za-z0-9_ .+-]+")

SERVICES_REFUSED = (
    "libvirt's QEMU may not start the helper that services need:"
    " seccomp_sandbox = 0 in the daemon's qemu.conf allows it"
)


def on_network(spec: MachineSpec) -> str:
    """Return the reason why a machine on a network of libvirt's cannot be had; empty when it can."""
    if spec.reachable.forwards or spec.reachable.tftp is not None:
        return "services need QEMU's user-mode network: leave --libvirt-network out"
    if isinstance(spec.medium, NetworkBoot):
        return "boot from the network needs QEMU's user-mode network: leave --libvirt-network out"
    return ""


def obstacle(spec: MachineSpec, *, may_spawn: bool) -> str:
    """Return the reason why libvirt cannot run such a machine; empty when it can.

    `may_spawn` is False when the daemon's QEMUs may not start processes.
    """
    if spec.arch != "x86_64":
        return f"libvirt machines are x86_64 only, not {spec.arch}"
    if spec.reachable.forwards and not may_spawn:
        return SERVICES_REFUSED
    if spec.numa_nodes and spec.host_directories:
        return "host directories need memory in one piece, and NUMA nodes have two"
    if len(spec.disks) >= _MOST_DISKS:
        return f"libvirt machines have at most {_MOST_DISKS} disks"
    for options in (spec.primary_disk, *(disk.options for disk in spec.disks)):
        reason = _of_disk(options)
        if reason:
            return reason
    return ""


def _of_disk(options: DiskOptions) -> str:
    if options.serial is not None and not _SERIAL.fullmatch(options.serial):
        return f"libvirt refuses the serial {options.serial!r}: letters, digits, blanks and _ . + - only"
    return ""

"""QEMU's user-mode networks and the NICs on them."""

from __future__ import annotations

from collections.abc import Callable

from harness.machine.boot import NIC, NetworkBoot
from harness.machine.spec import MachineSpec
from harness.platform.parts import media, services
from harness.platform.parts.board import is_pc
from harness.platform.parts.diskargs import device_id

SPARE = "spare"
"""The root port for a NIC that is plugged in later."""


def spare_slot(spec: MachineSpec) -> dict[str, str]:
    """Return the place of a NIC plugged in later: PCI Express needs a free port, PCI any slot."""
    return {} if is_pc(spec) else {"bus": SPARE}


def arguments(
    spec: MachineSpec,
    *,
    place: Callable[[str], str],
    spare_chassis: int,
    prefix: str = "",
    first: bool = True,
) -> list[str]:
    """Return QEMU's arguments for the networks of a machine, except the first one unless `first`.

    `place` gives the place of a device, by its name, as options after a comma; `prefix` begins the ids of
    devices, and `spare_chassis` is the number of a chassis that no other root port has.
    """
    if not spec.network:
        return []
    # Port 0: the kernel picks a free port while QEMU binds it, and QMP reports it. No port can be taken in
    # between.
    restrict = "off" if spec.internet else "on"
    words = services.words(spec) + media.network_words(spec)
    # QEMU saves the leases of all user networks under the same name, and a clone's first network receives all
    # of them, so that others' leases would take net0's address. With several, the first has no guest.
    argv = ["-netdev", "user,id=leases,restrict=on"] if spec.additional_nics else []
    if first:
        card = f"virtio-net-pci,netdev=net0{media.boot_rom(spec)}{_boot_order(spec, prefix)}"
        argv += [
            "-netdev", f"user,id=net0,restrict={restrict},hostfwd=tcp:127.0.0.1:0-:22{words}",
            "-device", card + place("nic"),
        ]  # fmt: skip
    if spare_slot(spec):
        argv += ["-device", f"pcie-root-port,id={SPARE},chassis={spare_chassis}{place(SPARE)}"]
    # Tests of NestOS know the addresses of additional NICs. Their networks are wider than the first one's, so
    # that answers to SSH leave by the NIC they arrived on, whatever the metrics of the routes.
    for number in range(spec.additional_nics):
        subnet = f"net=10.0.2.0/23,dhcpstart=10.0.2.{31 + number}"
        card = f"virtio-net-pci,netdev=extra{number},mac=52:55:00:d1:56:{number:02x},romfile="
        argv += [
            "-netdev", f"user,id=extra{number},restrict=on,{subnet}",
            "-device", card + place(f"nic{number}"),
        ]  # fmt: skip
    return argv


def _boot_order(spec: MachineSpec, prefix: str) -> str:
    index = spec.boot_index(NIC)
    if not isinstance(spec.medium, NetworkBoot) or index is None:
        return ""
    return f",id={prefix}{device_id(NIC)},bootindex={index}"

"""The places and names of a machine's devices: the same PCI slots as those of the platform `qemu`.

Names of network interfaces and the order of disks depend on slots. QEMU gives devices the first free slot in
the order of its command line; libvirt would choose others.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from harness.machine.boot import LiveIso
from harness.machine.disk import DiskChannel
from harness.machine.spec import MachineSpec
from harness.platform.parts.board import is_pc
from harness.platform.parts.diskargs import PATHS

PRIMARY_DISK = 0
ALIAS = "ua-"
"""Names that users of libvirt give to devices must begin so."""


def bus(spec: MachineSpec) -> str:
    return "pci.0" if is_pc(spec) else "pcie.0"


@dataclass(frozen=True)
class Slots:
    """PCI slots by the device's name: `rng`, `ports`, `scsi`, `path0`, `disk1`, `medium`, `nic`, `spare` …"""

    bus: str
    numbers: dict[str, int] = field(default_factory=dict)

    def place(self, name: str) -> str:
        """Return the place of a device as options of `-device`, after a comma."""
        return f",bus={self.bus},addr=0x{self.numbers[name]:x}"


def slots(spec: MachineSpec) -> Slots:
    """Return the slot of each PCI device, in the order in which harness.platform.qemu.argv names them."""
    numbered = [*enumerate(spec.disks, start=1)]
    options = [disk.options for _, disk in numbered]
    if spec.primary is not None:
        options.append(spec.primary_disk)
    order = ["rng", "ports"]
    if any(disk.channel is DiskChannel.SCSI and not disk.multipath for disk in options):
        order.append("scsi")
    if any(disk.multipath for disk in options):
        order += [f"path{path}" for path in range(PATHS)]
    named = [*((f"disk{number}", disk.options) for number, disk in numbered)]
    if spec.primary is not None:
        named.append((f"disk{PRIMARY_DISK}", spec.primary_disk))
    order += [name for name, disk in named if not disk.multipath and disk.channel is not DiskChannel.SCSI]
    if isinstance(spec.medium, LiveIso) and (spec.medium.as_disk or not is_pc(spec)):
        order.append("medium")
    if spec.network:
        order.append("nic")
        order += [] if is_pc(spec) else ["spare"]
    order += [f"nic{number}" for number in range(spec.additional_nics)]
    order += ["display"] if spec.display else []
    order += [f"host{number}" for number in range(len(spec.host_directories))]
    first = 2 if is_pc(spec) else 1  # 0 is the host bridge; 1 of `pc` is the ISA bridge
    return Slots(bus(spec), {name: first + number for number, name in enumerate(order)})

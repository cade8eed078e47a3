"""Snapshots of a machine in files: saving, copying and loading them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from harness.errors import InfrastructureError
from harness.machine.boot import EmptyDisk, LiveIso
from harness.machine.spec import DiskChannel, MachineSpec
from harness.platform.parts.monitor import Monitor
from harness.util.deadline import Deadline
from harness.util.process import run_tool


@dataclass(frozen=True)
class Frozen:
    """A snapshot of a machine: RAM, disks and device state of one instant, and the journal so far."""

    directory: Path

    @property
    def memory(self) -> Path:
        return self.directory / "ram"

    @property
    def disk(self) -> Path:
        """The overlay of the primary disk's image."""
        return self.directory / "disk.qcow2"

    @property
    def empty_disk(self) -> Path:
        """The raw file of a primary disk that was empty."""
        return self.directory / "disk.raw"

    @property
    def medium(self) -> Path:
        """The overlay of a live ISO, with all that was embedded in it."""
        return self.directory / "medium.qcow2"

    def additional_disk(self, number: int) -> Path:
        """Return the raw file of an additional disk; the first has number 1."""
        return self.directory / f"disk{number}.raw"

    @property
    def state(self) -> Path:
        return self.directory / "state"

    @property
    def journal(self) -> Path:
        return self.directory / "journal.jsonl"


def obstacle(spec: MachineSpec) -> str:
    """Return the reason why such a machine cannot be frozen and cloned; empty when it can."""
    if spec.medium is not None and not isinstance(spec.medium, LiveIso):
        return "a machine that boots from the network or a kernel file is not frozen"
    if spec.primary is None:
        return "a machine without a primary disk is not frozen"
    options = [spec.primary_disk, *(disk.options for disk in spec.disks)]
    if any(disk.channel is DiskChannel.NVME for disk in options):
        return "QEMU cannot move the state of an NVMe disk"
    if spec.host_directories:
        return "QEMU cannot move the state of a host directory"
    if spec.numa_nodes:
        return "memory of NUMA nodes is not in one file"
    if spec.qemu.extra_args:
        return "nobody knows what extra QEMU arguments do"
    if spec.firstboot_kernel_args:
        return "first-boot arguments are about the first boot"
    if not spec.network:
        return "nobody can enter a clone without network"
    return ""


def copy(source: Frozen, target: Frozen, spec: MachineSpec) -> None:
    """Copy RAM, disks and journal of snapshot `source`, so that a machine can resume from the copy and be
    frozen again as `target`.

    Holes stay holes.
    """

    def files(frozen: Frozen) -> list[Path]:
        return [
            frozen.memory,
            frozen.journal,
            frozen.empty_disk if isinstance(spec.primary, EmptyDisk) else frozen.disk,
            *([frozen.medium] if isinstance(spec.medium, LiveIso) else []),
            *(frozen.additional_disk(number) for number in range(1, len(spec.disks) + 1)),
        ]

    for old, new in zip(files(source), files(target), strict=True):
        run_tool(["cp", "--sparse=always", "--reflink=auto", str(old), str(new)])
        new.chmod(0o600)


def save(monitor: Monitor, frozen: Frozen, deadline: Deadline) -> None:
    """Stop the guest and write its device state. RAM and disks are in their files already."""
    monitor.execute("stop", deadline=deadline)
    with frozen.state.open("wb") as target:
        _transfer(monitor, "migrate", target.fileno(), deadline)


def load(monitor: Monitor, frozen: Frozen, deadline: Deadline) -> None:
    """Load the device state that `save` wrote. The guest stays stopped."""
    with frozen.state.open("rb") as source:
        _transfer(monitor, "migrate-incoming", source.fileno(), deadline)


def _transfer(monitor: Monitor, command: str, descriptor: int, deadline: Deadline) -> None:
    """Migrate to or from an open file. RAM that is shared with a file is left out (x-ignore-shared)."""
    capabilities = [{"capability": "x-ignore-shared", "state": True}]
    monitor.execute("migrate-set-capabilities", deadline=deadline, capabilities=capabilities)
    monitor.send_descriptor("state", descriptor, deadline=deadline)
    monitor.execute(command, deadline=deadline, uri="fd:state")

    def settled() -> str | None:
        status = str(monitor.execute("query-migrate", deadline=deadline).get("status", ""))
        return status if status in ("completed", "failed", "cancelled") else None

    outcome = deadline.poll(settled, step="moving the machine's state", interval=0.01)
    if outcome != "completed":
        raise InfrastructureError(f"QEMU could not move the machine's state: {outcome}", cause="no-resume")

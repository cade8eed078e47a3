"""A machine at rest in files, and moving one there and back."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from harness.errors import InfrastructureError
from harness.machine.spec import DiskChannel, MachineSpec
from harness.platform.qemu.qmp import Qmp
from harness.util.deadline import Deadline
from harness.util.process import run_tool


@dataclass(frozen=True)
class Frozen:
    """RAM, disks and device state of one instant, and what the machine had logged."""

    directory: Path

    @property
    def memory(self) -> Path:
        return self.directory / "ram"

    @property
    def disk(self) -> Path:
        return self.directory / "disk.qcow2"

    def additional_disk(self, number: int) -> Path:
        """The raw file of an additional disk; the first has number 1."""
        return self.directory / f"disk{number}.raw"

    @property
    def state(self) -> Path:
        return self.directory / "state"

    @property
    def journal(self) -> Path:
        return self.directory / "journal.jsonl"


def obstacle(spec: MachineSpec) -> str:
    """What keeps such a machine from being frozen and cloned; empty when nothing does."""
    options = [spec.primary_disk, *(disk.options for disk in spec.disks)]
    if any(disk.channel is DiskChannel.NVME for disk in options):
        return "QEMU cannot move the state of an NVMe disk"
    if spec.host_directories:
        return "QEMU cannot move the state of a host directory"
    if spec.numa_nodes:
        return "memory of NUMA nodes is not in one file"
    if spec.extra_qemu_args:
        return "nobody knows what extra QEMU arguments do"
    if spec.firstboot_kernel_args:
        return "first-boot arguments are about the first boot"
    if not spec.network:
        return "nobody can enter a clone without network"
    return ""


def copy(source: Frozen, target: Frozen, *, disks: int) -> None:
    """What a machine writes to as it runs, for one that is to go on from `source` and be frozen as `target`.

    `disks` are additional ones. Their holes stay holes.
    """
    numbers = range(1, disks + 1)
    pairs = [(source.memory, target.memory), (source.disk, target.disk), (source.journal, target.journal)]
    pairs += [(source.additional_disk(number), target.additional_disk(number)) for number in numbers]
    for old, new in pairs:
        run_tool(["cp", "--sparse=always", "--reflink=auto", str(old), str(new)])
        new.chmod(0o600)


def save(qmp: Qmp, frozen: Frozen, deadline: Deadline) -> None:
    """Stop the guest and write its device state; RAM and disks are in their files already."""
    qmp.execute("stop", deadline=deadline)
    with frozen.state.open("wb") as target:
        _transfer(qmp, "migrate", target.fileno(), deadline)


def load(qmp: Qmp, frozen: Frozen, deadline: Deadline) -> None:
    """Take over the device state that `save` wrote; the guest stays stopped."""
    with frozen.state.open("rb") as source:
        _transfer(qmp, "migrate-incoming", source.fileno(), deadline)


def _transfer(qmp: Qmp, command: str, descriptor: int, deadline: Deadline) -> None:
    """Migrate to or from an open file; RAM that is shared with a file is left out (x-ignore-shared)."""
    capabilities = [{"capability": "x-ignore-shared", "state": True}]
    qmp.execute("migrate-set-capabilities", deadline=deadline, capabilities=capabilities)
    qmp.send_descriptor("state", descriptor, deadline=deadline)
    qmp.execute(command, deadline=deadline, uri="fd:state")

    def settled() -> str | None:
        status = str(qmp.execute("query-migrate", deadline=deadline).get("status", ""))
        return status if status in ("completed", "failed", "cancelled") else None

    outcome = deadline.poll(settled, step="moving the machine's state", interval=0.01)
    if outcome != "completed":
        raise InfrastructureError(f"QEMU could not move the machine's state: {outcome}", cause="no-resume")

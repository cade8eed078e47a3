"""Templates on another host: RAM and disks are files there, and the device state is an internal snapshot.

QEMU before 8.2 migrates to and from a file only by a descriptor, which no connection to another host carries.
So the state is saved as a snapshot (qemu: snapshot-save) in a small image, which the template's directory
here keeps, and each clone gets a copy.
"""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass, replace
from pathlib import Path

from harness.errors import InfrastructureError
from harness.machine.boot import PRIMARY
from harness.machine.spec import MachineSpec
from harness.platform.libvirt.given import Files
from harness.platform.libvirt.remote import Cargo
from harness.platform.libvirt.volumes import Store
from harness.platform.parts.diskargs import DiskFile
from harness.platform.parts.frozen import Frozen
from harness.platform.parts.monitor import Monitor
from harness.platform.parts.storage import MemoryFile
from harness.util.deadline import Deadline
from harness.util.jsonfile import JsonFile
from harness.util.locks import exclusive
from harness.util.process import run_tool

RECORD = "far.json"
_TEMPLATE = "template-"
_IDENTITY = ".far"
_NODE = "kola-state"
_JOB = "kola-state-job"
_TAG = "kola"
_STATE_BYTES = 1 << 20


@dataclass(frozen=True)
class FarDisk:
    """A file on the host: its name in the store, its path, its format, and the size of the disk in bytes."""

    name: str
    path: str
    format: str
    size: int


@dataclass(frozen=True)
class FarTemplate:
    """The files of a template on its host: RAM, and disks, the primary one first."""

    memory: FarDisk
    disks: tuple[FarDisk, ...]

    @property
    def names(self) -> list[str]:
        return [self.memory.name, *(disk.name for disk in self.disks)]


_IDENTITY_FORMAT = JsonFile(str, "the number of a cache")
_FORMAT = JsonFile(FarTemplate, "a record of a template on another host")


def obstacle(spec: MachineSpec) -> str:
    """Return the reason why such a machine cannot be frozen and cloned there; empty when it can."""
    return "" if spec.medium is None else "a machine that boots a medium is not cloned on another host"


def prefix_of(home: Path) -> str:
    """Return the beginning of the names of a template's files: they tell the cache here, and the template."""
    return f"{_prefix(home.parent)}{home.name}-"


def _prefix(templates: Path) -> str:
    """Return the beginning of the names of all files of a cache, whose number is made when first needed."""
    known = templates / _IDENTITY
    if not known.exists():
        with exclusive(known.with_suffix(".lock"), deadline=Deadline(30)):
            if not known.exists():
                _IDENTITY_FORMAT.write(known, secrets.token_hex(6))
    return f"{_TEMPLATE}{_IDENTITY_FORMAT.read(known)}-"


def read(home: Path) -> FarTemplate:
    """Raises ConfigError for a template of this host."""
    return _FORMAT.read(home / RECORD)


def begin(spec: MachineSpec, files: Files, cargo: Cargo, store: Store, home: Path) -> Files:
    """Put the files of a machine that will be frozen into `home` on the host, where they stay."""
    prefix = prefix_of(home)
    store.remove([name for name in store.names() if name.startswith(prefix)])  # of an interrupted attempt
    sizes = [_virtual_size(Path(disk.path)) for disk in _all(files)]
    files = cargo.carry(spec, files, keep=prefix)
    size = spec.memory_mib << 20
    memory = store.add(f"{prefix}ram", size)
    disks = [
        FarDisk(Path(disk.path).name, disk.path, disk.format, size)
        for disk, size in zip(_all(files), sizes, strict=True)
    ]
    _FORMAT.write(home / RECORD, FarTemplate(FarDisk(memory.name, memory.path, "raw", size), tuple(disks)))
    return replace(files, memory=MemoryFile(Path(memory.path), shared=True))


def clone(spec: MachineSpec, files: Files, cargo: Cargo, source: Path, workplace: Path) -> Files:
    """Add RAM and disks of a clone: overlays of the template's."""
    template = read(source)
    paths = [cargo.send(overlay, overlay.name).path for overlay in _overlays(template, workplace)]
    memory = MemoryFile(Path(template.memory.path), shared=False)
    return replace(_with_disks(spec, files, paths), memory=memory)


def continued(
    spec: MachineSpec, files: Files, store: Store, source: Path, home: Path, workplace: Path
) -> Files:
    """Add RAM and disks of a machine that goes on from a template and is frozen again.

    RAM is a copy. Disks are overlays: a template whose base is gone does not resume, and is made anew.
    """
    template, prefix = read(source), prefix_of(home)
    store.remove([name for name in store.names() if name.startswith(prefix)])
    memory = store.copy(template.memory.name, f"{prefix}ram")
    sent = [store.send(overlay, prefix + overlay.name) for overlay in _overlays(template, workplace)]
    disks = tuple(
        FarDisk(volume.name, volume.path, "qcow2", old.size)
        for volume, old in zip(sent, template.disks, strict=True)
    )
    ram = replace(template.memory, name=memory.name, path=memory.path)
    _FORMAT.write(home / RECORD, FarTemplate(ram, disks))
    files = _with_disks(spec, files, [volume.path for volume in sent])
    return replace(files, memory=MemoryFile(Path(memory.path), shared=True))


def _overlays(template: FarTemplate, workplace: Path) -> list[Path]:
    """Make overlays of a template's disks, which are not here."""
    made = []
    for number, disk in enumerate(template.disks):
        made.append(workplace / f"overlay{number}")
        words = ["qemu-img", "create", "-q", "-u", "-f", "qcow2", "-b", disk.path, "-F", disk.format]
        run_tool([*words, str(made[-1]), str(disk.size)])
    return made


def reap(store: Store, templates: Path) -> None:
    """Remove the files of this cache's templates that are not in `templates` any more."""
    if not (templates / _IDENTITY).exists():
        return
    start = _prefix(templates)
    for name in store.names():
        key = name.removeprefix(start).partition("-")[0]
        if name.startswith(start) and not (templates / key).is_dir():
            store.remove([name])


def save(monitor: Monitor, frozen: Frozen, store: Store, cargo: Cargo, deadline: Deadline) -> None:
    """Stop the guest and save its device state, without RAM, into the template's directory here."""
    monitor.execute("stop", deadline=deadline)
    words = ["qemu-img", "create", "-q", "-f", "qcow2", str(frozen.state), str(_STATE_BYTES)]
    run_tool(words)
    volume = cargo.send(frozen.state, "state")
    _job(monitor, "snapshot-save", volume.path, deadline)
    store.receive(volume.name, frozen.state)


def load(monitor: Monitor, source: Frozen, cargo: Cargo, deadline: Deadline) -> None:
    """Load the device state that `save` wrote. The guest stays stopped."""
    _job(monitor, "snapshot-load", cargo.send(source.state, "state").path, deadline)


def _job(monitor: Monitor, command: str, path: str, deadline: Deadline) -> None:
    capabilities = [{"capability": "x-ignore-shared", "state": True}]
    monitor.execute("migrate-set-capabilities", deadline=deadline, capabilities=capabilities)
    file = {"driver": "file", "filename": path}
    monitor.execute("blockdev-add", deadline=deadline, driver="qcow2", node_name=_NODE, file=file)
    monitor.execute(command, deadline=deadline, job_id=_JOB, tag=_TAG, vmstate=_NODE, devices=[_NODE])

    def ended() -> dict[str, str] | None:
        jobs = monitor.execute("query-jobs", deadline=deadline)
        return next((job for job in jobs if job["id"] == _JOB and job["status"] == "concluded"), None)

    job = deadline.poll(ended, step="moving the machine's state", interval=0.02)
    monitor.execute("job-dismiss", deadline=deadline, id=_JOB)
    monitor.execute("blockdev-del", deadline=deadline, node_name=_NODE)
    if job.get("error"):
        raise InfrastructureError(
            f"QEMU could not move the machine's state: {job['error']}", cause="no-resume"
        )


def _all(files: Files) -> list[DiskFile]:
    return [*([] if files.primary is None else [files.primary]), *files.disks]


def _with_disks(spec: MachineSpec, files: Files, paths: list[str]) -> Files:
    """Add disks whose files, all overlays, are on the host."""
    first, *others = paths
    return replace(
        files,
        primary=DiskFile(-1, "qcow2", spec.primary_disk, spec.boot_index(PRIMARY), first),
        disks=tuple(
            DiskFile(-1, "qcow2", disk.options, spec.boot_index(f"disk{number}"), path)
            for number, (disk, path) in enumerate(zip(spec.disks, others, strict=True), start=1)
        ),
    )


def _virtual_size(path: Path) -> int:
    return int(json.loads(run_tool(["qemu-img", "info", "-U", "--output=json", str(path)]))["virtual-size"])

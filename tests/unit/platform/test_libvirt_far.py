"""Templates on another host. Stand-ins for libvirt's storage and QEMU's monitor: they are not needed here."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from storage_standin import LibvirtError, Pool

from harness.errors import InfrastructureError
from harness.machine.boot import DiskImage
from harness.machine.disk import Disk, DiskOptions
from harness.machine.spec import MachineSpec
from harness.platform.libvirt import far
from harness.platform.libvirt.given import Files
from harness.platform.libvirt.owners import this_process
from harness.platform.libvirt.remote import Cargo
from harness.platform.libvirt.volumes import Store
from harness.platform.parts.diskargs import DiskFile
from harness.platform.parts.frozen import Frozen
from harness.util.deadline import Deadline

BARE = Files(channels=())


@pytest.fixture(autouse=True)
def library(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("libvirt", "libvirt_qemu"):
        monkeypatch.setitem(sys.modules, name, SimpleNamespace(libvirtError=LibvirtError))


class Host:
    """A host's files, and a template whose machine has an image and one more disk."""

    def __init__(self, here: Path) -> None:
        self.here = here
        self.pool: Any = Pool()
        self.store = Store(self.pool, "/srv", None)
        self.cargo = Cargo(self.store, this_process())
        image = here / "image"
        self._create(image, "-f", "qcow2", "16M")
        self.spec = MachineSpec(DiskImage(image), memory_mib=64, disks=(Disk(DiskOptions(), 1),))

    def template(self, key: str) -> Path:
        home = self.here / key
        home.mkdir()
        overlay, more = self.here / f"{key}-disk", self.here / f"{key}-disk1"
        self._create(overlay, "-f", "qcow2", "-b", str(self.here / "image"), "-F", "qcow2", "20M")
        with more.open("wb") as file:
            file.truncate(1 << 30)
        disks = (DiskFile(-1, "raw", DiskOptions(), path=str(more)),)
        files = Files((), DiskFile(-1, "qcow2", DiskOptions(), path=str(overlay)), disks)
        self.files = far.begin(self.spec, files, self.cargo, self.store, home)
        self.cargo.close()
        return home

    @staticmethod
    def _create(path: Path, *words: str) -> None:
        *options, size = words
        subprocess.run(["qemu-img", "create", "-q", *options, str(path), size], check=True)


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(tmp_path)


def test_ram_and_disks_of_a_template_stay_on_its_host(host: Host) -> None:
    home = host.template("0123")
    template = far.read(home)
    assert [disk.size for disk in (template.memory, *template.disks)] == [64 << 20, 20 << 20, 1 << 30]
    assert set(template.names) <= set(host.pool.files)
    assert host.files.memory is not None
    assert (str(host.files.memory.path), host.files.memory.shared) == (template.memory.path, True)
    assert host.files.primary is not None and host.files.primary.path == template.disks[0].path


def test_a_clone_has_overlays_of_its_own_and_they_go(host: Host) -> None:
    home = host.template("0123")
    before = set(host.pool.files)
    place = host.here / "place"
    place.mkdir()
    files = far.clone(host.spec, BARE, host.cargo, home, place)
    assert files.memory is not None and not files.memory.shared
    assert files.primary is not None and files.primary.format == "qcow2"
    told = subprocess.run(
        ["qemu-img", "info", "--output=json", str(place / "overlay0")], capture_output=True, check=True
    )
    overlay = json.loads(told.stdout)
    assert overlay["backing-filename"] == far.read(home).disks[0].path
    assert overlay["virtual-size"] == 20 << 20
    assert len(files.disks) == 1
    host.cargo.close()
    assert set(host.pool.files) == before


def test_a_template_that_goes_on_from_another_has_files_of_its_own(host: Host) -> None:
    old, new = host.template("0123"), host.here / "4567"
    new.mkdir()
    host.pool.files[far.read(old).memory.name].data = b"ram"
    place = host.here / "place"
    place.mkdir()
    files = far.continued(host.spec, BARE, host.store, old, new, place)
    template = far.read(new)
    assert set(template.names).isdisjoint(far.read(old).names)
    assert host.pool.files[template.memory.name].data == b"ram"
    assert files.memory is not None and files.memory.shared


def test_files_of_templates_that_are_gone_here_are_removed_there(host: Host) -> None:
    home = host.template("0123")
    kept = host.template("4567")
    host.pool.files["template-0123456789ab-0123-ram"] = host.pool.files[far.read(home).memory.name]
    far.reap(host.store, host.here)
    assert set(far.read(home).names) <= set(host.pool.files)
    (home / far.RECORD).unlink()
    home.rmdir()
    far.reap(host.store, host.here)
    assert [name for name in host.pool.files if f"-{home.name}-" in name and "6789ab" not in name] == []
    assert set(far.read(kept).names) <= set(host.pool.files)
    assert "template-0123456789ab-0123-ram" in host.pool.files


class Monitor:
    """A QEMU that saves and loads snapshots, or fails to."""

    def __init__(self, host: Host, error: str = "") -> None:
        self._host, self._error = host, error
        self.said: list[str] = []

    def execute(self, command: str, *, deadline: Deadline, **words: Any) -> Any:
        self.said.append(command)
        if command == "blockdev-add":
            self.path = words["file"]["filename"]
        if command == "snapshot-save":
            self._host.pool.files[Path(self.path).name].data += b"snapshot"
        if command == "query-jobs":
            return [{"id": "kola-state-job", "status": "concluded", "error": self._error}]
        return {}


def test_the_state_is_kept_here_and_each_clone_gets_a_copy(host: Host) -> None:
    home = host.template("0123")
    before = set(host.pool.files)
    saving: Any = Monitor(host)
    far.save(saving, Frozen(home), host.store, host.cargo, Deadline(5))
    assert (home / "state").read_bytes().endswith(b"snapshot")
    assert saving.said[0] == "stop"
    loading: Any = Monitor(host)
    another = Cargo(host.store, this_process())
    far.load(loading, Frozen(home), another, Deadline(5))
    assert host.pool.files[Path(loading.path).name].data == (home / "state").read_bytes()
    assert saving.said[-1] == loading.said[-1] == "blockdev-del"
    host.cargo.close()
    another.close()
    assert set(host.pool.files) == before


def test_a_state_that_cannot_be_moved_is_said(host: Host) -> None:
    home = host.template("0123")
    failing: Any = Monitor(host, "no space")
    with pytest.raises(InfrastructureError, match="no space") as error:
        far.save(failing, Frozen(home), host.store, host.cargo, Deadline(5))
    assert error.value.cause == "no-resume"

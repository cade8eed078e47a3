"""Disks with two paths, and file systems of another machine."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from harness.machine.machine import Machine
from testsuites.ignition.subjects import DISKS, TWO_PATHS

CONFIG = """\
defaults {
    find_multipaths no
    user_friendly_names yes
}
"""

pytestmark = pytest.mark.kola(tags=["misc", "disks"])


@pytest.mark.kola(name="misc.multipath", needs=["multipath"])
@DISKS
def test_multipath(machine: Machine) -> None:
    """Two paths to a disk are one device, which outlives the loss of a path."""
    machine.file("/etc/multipath.conf").write(CONFIG)
    machine.unit("multipathd.service").start()

    def device() -> str | None:
        listed = machine.run("lsblk -nro NAME,TYPE | awk '$2 == \"mpath\" {print $1}' | head -1")
        return listed.stdout.strip() or None

    name = machine.poll(device, timeout=60, step="waiting for the multipath device")

    def wait_for_paths(count: int) -> None:
        """Wait until the kernel uses that many paths."""

        def reached() -> bool:
            paths = machine.run("multipathd show paths format '%d %t'", sudo=True).check().stdout
            return paths.count(" active") == count

        machine.poll(reached, timeout=60, step=f"waiting for {count} active paths")

    wait_for_paths(2)
    machine.run(f"mkfs.ext4 -q /dev/mapper/{name} && mount /dev/mapper/{name} /mnt", sudo=True).check()
    machine.run("echo before > /mnt/file && sync", sudo=True).check()
    machine.unplug_path(disk=TWO_PATHS, path=0)
    wait_for_paths(1)
    machine.run("echo after >> /mnt/file && sync -f /mnt/file", sudo=True).check()
    machine.run("echo 3 > /proc/sys/vm/drop_caches", sudo=True).check()
    assert machine.file("/mnt/file").text == "before\nafter\n"


@pytest.mark.kola(name="linux.nfs.v4", needs=["nfs"])
def test_nfs(machines: Callable[..., list[Machine]]) -> None:
    """A directory exported by one machine is mounted by another, and written to."""
    server, client = machines(2)
    server.run(
        "mkdir -p /var/nfs && echo served > /var/nfs/file && chown -R nobody: /var/nfs", sudo=True
    ).check()
    export = "/var/nfs *(rw,all_squash,insecure)"
    server.file("/etc/exports").write(f"{export}\n")
    server.unit("nfs-server.service").start()
    client.run("mkdir -p /var/mnt/nfs && mount -t nfs4 node1:/var/nfs /var/mnt/nfs", sudo=True).check()
    assert client.file("/var/mnt/nfs/file").text == "served\n"
    client.run("echo written > /var/mnt/nfs/new", sudo=True).check()
    assert server.file("/var/nfs/new").text == "written\n"

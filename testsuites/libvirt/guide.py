"""A machine made by the command of the guide, section 8.2.2, and all that it leaves behind."""

from __future__ import annotations

import contextlib
import shutil
import uuid
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

import pytest

from harness.errors import DeadlineExceeded, InfrastructureError
from harness.machine.incidents import Incidents
from harness.machine.route import SshRoute
from harness.machine.sessions import Access
from harness.machine.ssh import AuthenticationRefused, ConnectionLost, SshConnection
from harness.util.deadline import Deadline
from harness.util.process import run_tool

DIRECTORY = "/var/lib/libvirt/images"
BRIDGE = "virbr0"
_LOGIN_SECONDS = 30.0
_LOOK_AGAIN = 1.0

_VOLUME = """<volume>
  <name>{name}</name><capacity unit='bytes'>{size}</capacity><allocation>0</allocation>
  <target><format type='raw'/><permissions><mode>0644</mode></permissions></target>
</volume>"""
"""A file on the daemon's host: raw, so that it keeps its size. QEMU's user reads it."""


@dataclass(frozen=True)
class Virsh:
    """virsh(1) for one daemon."""

    uri: str

    def __call__(self, *words: str, timeout: float = 300) -> str:
        """Return the command's standard output. Raises InfrastructureError when it fails."""
        return run_tool(["virsh", "-q", "-c", self.uri, *words], timeout=timeout).decode(errors="replace")

    def names(self, *words: str) -> set[str]:
        return set(self(*words).split())


def require(virsh: Virsh) -> None:
    """Skip the test unless the host has the programs, and the daemon the network of the guide."""
    for program, package in (("virt-install", "virtinst"), ("virsh", "libvirt-clients")):
        if shutil.which(program) is None:
            pytest.skip(f"this host has no {program}: apt-get install {package}")
    if "/system" not in virsh.uri:
        pytest.skip(f"a session daemon has no network {BRIDGE}")
    active = virsh.names("net-list", "--name")
    bridges = {
        ElementTree.fromstring(virsh("net-dumpxml", name)).find("bridge").get("name")  # type: ignore[union-attr]
        for name in active
    }
    if BRIDGE not in bridges:
        pytest.skip(f"the daemon has no network {BRIDGE}: virsh net-start default")


@contextlib.contextmanager
def files(virsh: Virsh, *sources: Path) -> Iterator[list[str]]:
    """Copies of files on the daemon's host, by their paths there.

    libvirt gives an image that it uses to QEMU's user, and does not give it back.
    """
    pool = f"kola-guide-{uuid.uuid4().hex[:8]}"
    directory = f"{DIRECTORY}/{pool}"
    virsh("pool-define-as", pool, "dir", "--target", directory)
    names: list[str] = []
    try:
        virsh("pool-build", pool)
        virsh("pool-start", pool)
        for source in sources:
            described = _VOLUME.format(name=source.name, size=source.stat().st_size)
            run_tool(
                ["virsh", "-q", "-c", virsh.uri, "vol-create", pool, "/dev/stdin"],
                timeout=300,
                input=described.encode(),
            )
            names.append(source.name)
            virsh("vol-upload", "--pool", pool, source.name, str(source), timeout=3600)
        virsh("pool-refresh", pool)
        yield [f"{directory}/{name}" for name in names]
    finally:
        steps = [("vol-delete", "--pool", pool, name) for name in names]
        for words in (*steps, ("pool-destroy", pool), ("pool-delete", pool), ("pool-undefine", pool)):
            with contextlib.suppress(InfrastructureError):
                virsh(*words)


@contextlib.contextmanager
def machine(virsh: Virsh, *, image: str, ignition: str, virt_type: str) -> Iterator[str]:
    """The domain that the guide's command makes. Everything it made is removed.

    The guide's line lacks its last quotation mark. Its --os-variant=kylin-hostos10.0 is unknown to Debian's
    osinfo-db, and without a known one the machine gets devices that a cloud kernel has no drivers for.
    `--noautoconsole` and `--virt-type` are for a program without a terminal, maybe without KVM.
    """
    name = f"kola-guide-{uuid.uuid4().hex[:8]}"
    pools = virsh.names("pool-list", "--all", "--name")
    # fmt: off
    command = [
        "virt-install",
        f"--connect={virsh.uri}",
        f"--name={name}",
        "--vcpus=1",
        "--memory=1024",
        "--os-variant=linux2022",
        "--import",
        "--graphics=none",
        f"--disk=size=10,backing_store={image}",
        f"--network=bridge={BRIDGE}",
        f"--qemu-commandline=-fw_cfg name=opt/com.coreos/config,file={ignition}",
        "--noautoconsole",
        f"--virt-type={virt_type}",
    ]
    # fmt: on
    with ExitStack() as owned:
        owned.callback(_remove_pools, virsh, pools)
        owned.callback(_remove, virsh, name)
        run_tool(command, timeout=600)
        yield name


def address(virsh: Virsh, name: str, seconds: float) -> str:
    """Wait for the guest's lease, and return its address. Raises DeadlineExceeded."""
    card = ElementTree.fromstring(virsh("dumpxml", name)).find("./devices/interface/mac")
    assert card is not None, "the guide's machine has a network card"
    mac = str(card.get("address"))

    def leased() -> str | None:
        for network in virsh.names("net-list", "--name"):
            for line in virsh("net-dhcp-leases", network, "--mac", mac).splitlines():
                found = [word for word in line.split() if "/" in word]
                if found:
                    return found[0].partition("/")[0]
        return None

    return Deadline(seconds).poll(leased, step=f"waiting for the lease of {name}", interval=_LOOK_AGAIN)


def output_of(command: str, *, route: SshRoute, access: Access, seconds: float) -> str:
    """Run a command in the guest, as soon as it lets us in, and return its output."""
    limit = Deadline(seconds)

    def said() -> str | None:
        with contextlib.suppress(OSError, ConnectionLost, AuthenticationRefused, DeadlineExceeded):
            connection = SshConnection.open(
                route.connect(),
                user=access.user,
                key=access.key,
                password=None,
                host_key=access.host_key,
                incidents=Incidents(),
                deadline=limit.sub(_LOGIN_SECONDS),
            )
            try:
                return connection.run(command, deadline=limit).check().stdout.strip()
            finally:
                connection.close()
        return None

    return limit.poll(said, step="logging in to the guide's machine", interval=_LOOK_AGAIN)


def _remove(virsh: Virsh, name: str) -> None:
    """Remove the domain, and its disk, a volume that virt-install has made."""
    with contextlib.suppress(InfrastructureError):
        disks = ElementTree.fromstring(virsh("dumpxml", name)).findall("./devices/disk/source")
        with contextlib.suppress(InfrastructureError):
            virsh("destroy", name)
        virsh("undefine", name, "--nvram")
        for disk in disks:
            path = disk.get("file") or ""
            if Path(path).name.startswith(name):
                virsh("vol-delete", path)


def _remove_pools(virsh: Virsh, before: set[str]) -> None:
    """Remove the pools that virt-install has defined for the directories of its files."""
    for pool in virsh.names("pool-list", "--all", "--name") - before:
        for word in ("pool-destroy", "pool-undefine"):
            with contextlib.suppress(InfrastructureError):
                virsh(word, pool)

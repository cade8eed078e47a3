"""The proof of a daemon: a tiny guest, started through it with the CPU that machines will have.

It tells the accelerator, its speed, and whether QEMU may start processes.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import socket
import uuid
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from harness.errors import ConfigError, DeadlineExceeded, InfrastructureError
from harness.machine.incidents import HOST_LOST
from harness.machine.spec import MachineSpec
from harness.platform.libvirt import domain
from harness.platform.libvirt.connection import Connection
from harness.platform.libvirt.domain import Identity, Labels
from harness.platform.libvirt.files import Workplace
from harness.platform.libvirt.given import Files
from harness.platform.libvirt.library import is_gone, is_session, load, text_of, translated
from harness.platform.libvirt.owners import PREFIX, Owner, host_id
from harness.platform.libvirt.processes import process_of, seccomp_of
from harness.platform.libvirt.streams import Courier, new_stream
from harness.platform.libvirt.volumes import Store
from harness.platform.parts.accel import (
    LOOPS,
    TCG_BASE_SCALE,
    TCG_CPU,
    Accelerator,
    forbidden,
    given_scale,
    measured_scale,
)
from harness.platform.parts.disks import new_file
from harness.util.deadline import Deadline
from harness.util.jsonfile import JsonFile
from harness.util.locks import exclusive
from harness.util.paths import cache_root

START = 1 | 2
"""libvirt's VIR_DOMAIN_START_PAUSED and VIR_DOMAIN_START_AUTODESTROY."""

# A boot sector: `mov ecx, LOOPS; again: dec ecx; jnz again; mov dx, 0x3f8; mov al, 'K'; out dx, al; hlt`.
_SECTOR = (
    b"\x66\xb9" + LOOPS.to_bytes(4, "little") + b"\x66\x49\x75\xfc\xba\xf8\x03\xb0K\xee\xf4\xeb\xfd"
).ljust(510, b"\0") + b"\x55\xaa"
_DISK_BYTES = 8 << 20  # below two cylinders, SeaBIOS reads nothing from a virtio disk
_KVM_SECONDS, _TCG_SECONDS = 10.0, 90.0


@dataclass(frozen=True)
class Proof:
    """The accelerator that works through a daemon, and whether its QEMUs may start processes."""

    key: str
    accelerator: Accelerator
    may_spawn: bool
    emulator: str


_FORMAT = JsonFile(Proof, "a record of a libvirt daemon")


def prove(connection: Connection, labels: Labels, owner: Owner, store: Store | None = None) -> Proof:
    """Return the proof of this daemon.

    It is cached until the daemon starts anew, its host boots, its QEMU changes, or the user may open
    /dev/kvm. The factor for deadlines is measured anew; `KOLA_DEADLINE_SCALE` overrides it. `store` is where
    the tiny guest's disk goes on a host that shares no files with this one.

    Raises InfrastructureError `no-accelerator` when the daemon runs no guest at all.
    """
    with translated("asking what it can do"):
        capabilities = connection.handle.getCapabilities()
        versions = [connection.handle.getVersion(), connection.handle.getLibVersion()]
    emulator = emulator_of(capabilities)
    kind = "tcg" if forbidden() else "any"
    started = _started(connection.uri) if store is None else 0
    daemon = [connection.uri, started, *versions]
    # On this host QEMU may run as this user.
    kvm = [offers_kvm(capabilities), store is not None or os.access("/dev/kvm", os.R_OK | os.W_OK)]
    probe = _Probe(connection, labels, owner, store)
    key = json.dumps([host_id(), kind, emulator, kvm, daemon])
    name = hashlib.sha256(f"{connection.uri} {kind}".encode()).hexdigest()[:16]
    answer = cache_root() / "accelerator" / f"libvirt-{name}.json"
    scale = given_scale()
    with exclusive(answer.with_suffix(".lock"), deadline=Deadline(180)):
        known = None
        with contextlib.suppress(ConfigError):
            known = _FORMAT.read(answer)
        if known is not None and known.key == key:
            if known.accelerator.name == "kvm" or scale is not None:
                return _scaled(known, scale)
            seconds, spawn = _run(probe, known.accelerator, timeout=_TCG_SECONDS)
            found = replace(known, may_spawn=spawn)
        else:
            accelerator, seconds, spawn = _probe(probe, try_kvm=offers_kvm(capabilities) and not forbidden())
            found = Proof(key, accelerator, spawn, emulator)
        if found.accelerator.name != "kvm":
            found = replace(found, accelerator=replace(found.accelerator, scale=measured_scale(seconds)))
        _FORMAT.write(answer, found)
    return _scaled(found, scale)


def _started(uri: str) -> int:
    """Return the time of the daemon's start, when it reads its settings: nanoseconds, by its PID file.

    0 where the file is not seen, as that of a daemon in a container.
    """
    home = Path("/run/libvirt/qemu")
    if is_session(uri):
        home = Path(os.environ.get("XDG_RUNTIME_DIR", ""), "libvirt/qemu/run")
    try:
        return (home / "driver.pid").stat().st_mtime_ns
    except OSError:
        return 0


def _scaled(proof: Proof, scale: float | None) -> Proof:
    if scale is None or proof.accelerator.name == "kvm":
        return proof
    return replace(proof, accelerator=replace(proof.accelerator, scale=scale))


def offers_kvm(capabilities: str) -> bool:
    """Return True when the daemon could open /dev/kvm, which proves no more than that."""
    path = "./guest/arch[@name='x86_64']/domain[@type='kvm']"
    return ElementTree.fromstring(capabilities).find(path) is not None


def emulator_of(capabilities: str) -> str:
    """Return the path of the QEMU that the daemon starts. Raises ConfigError when it has none."""
    found = ElementTree.fromstring(capabilities).findtext("./guest/arch[@name='x86_64']/emulator")
    if not found:
        raise ConfigError(
            "the libvirt daemon knows no QEMU for x86_64", hint="apt-get install qemu-system-x86"
        )
    return found


@dataclass(frozen=True)
class _Probe:
    """All that running a tiny guest takes."""

    connection: Connection
    labels: Labels
    owner: Owner
    store: Store | None


def _probe(probe: _Probe, *, try_kvm: bool) -> tuple[Accelerator, float, bool]:
    why = "the environment forbids KVM" if forbidden() else "the libvirt daemon cannot open /dev/kvm"
    if try_kvm:
        kvm = Accelerator("kvm", "host", 1.0)
        try:
            seconds, spawn = _run(probe, kvm, timeout=_KVM_SECONDS)
        except (InfrastructureError, DeadlineExceeded) as error:
            why = f"/dev/kvm opens but did not run a tiny guest ({str(error).splitlines()[0]})"
        else:
            return kvm, seconds, spawn
    tcg = Accelerator("tcg", TCG_CPU, TCG_BASE_SCALE, note=why)
    return tcg, *_run(probe, tcg, timeout=_TCG_SECONDS)


def _run(probe: _Probe, accelerator: Accelerator, *, timeout: float) -> tuple[float, bool]:
    """Run the boot sector; return the CPU seconds that it took, and whether QEMU may start processes."""
    library = load()
    connection, owner, store = probe.connection, probe.owner, probe.store
    sent: list[str] = []
    place = Workplace(owner)
    handle: Any = None
    ours, theirs = socket.socketpair()
    courier = Courier("libvirt probe")
    try:
        image = place.files / "sector"
        with open(new_file(image), "wb") as file:  # noqa: PTH123  # a descriptor
            file.write(_SECTOR)
            file.truncate(_DISK_BYTES)
        name = f"{PREFIX}{owner.run}-probe"
        path = str(image)
        if store is not None:
            sent.append(f"{owner.token}{uuid.uuid4()}")
            path = store.send(image, sent[0]).path
        xml = _xml(path, Identity(name, str(uuid.uuid4()), owner), accelerator, probe.labels)
        try:
            handle = connection.handle.createXML(xml, START)
            stream = new_stream(connection.handle)
            handle.openConsole(domain.CONSOLE_ALIAS, stream, 0)
            courier.carry(stream, theirs)
            pid = process_of(name) if store is None else None
            mode = None if pid is None else seccomp_of(pid)
            before = handle.info()[4]
            handle.resume()
            ours.settimeout(timeout)
            while b"K" not in (said := ours.recv(4096)):
                if not said:
                    raise InfrastructureError("QEMU ended", cause="no-accelerator")
            seconds = (handle.info()[4] - before) / 1e9
        except TimeoutError:
            raise InfrastructureError(
                f"{accelerator.name}: did not finish in {timeout:.0f} s", cause="no-accelerator"
            ) from None
        except library.libvirtError as error:
            cause = HOST_LOST if is_gone(error) else "no-accelerator"
            raise InfrastructureError(f"{accelerator.name}: {text_of(error)}", cause=cause) from None
        return seconds, mode == 0
    finally:
        if handle is not None:
            with contextlib.suppress(library.libvirtError):
                handle.destroy()
        courier.close()
        ours.close()
        place.close()
        if store is not None:
            store.remove(sent)


def _xml(image: str, identity: Identity, accelerator: Accelerator, labels: Labels) -> str:
    """Return the XML of the tiny guest: that of a machine without network, whose disk is the boot sector."""
    from harness.machine.boot import DiskImage
    from harness.machine.channels import CONSOLE
    from harness.machine.spec import DiskOptions
    from harness.platform.parts.diskargs import DiskFile

    spec = MachineSpec(DiskImage(Path(image), "raw"), memory_mib=64, network=False, channels=(CONSOLE,))
    disk = DiskFile(-1, "raw", DiskOptions(), index=1, path=image)
    return domain.build(
        spec,
        Files(channels=((CONSOLE, None),), primary=disk),
        identity=identity,
        accelerator=accelerator,
        labels=labels,
    )

"""A running domain: start, monitoring, control and cleanup."""

from __future__ import annotations

import socket
import time
import uuid
from concurrent.futures import TimeoutError as FutureTimeout
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

from harness.errors import ConfigError, DeadlineExceeded, InfrastructureError
from harness.machine.channels import Use
from harness.machine.incidents import HOST_FULL, HOST_LOST
from harness.machine.route import SshRoute
from harness.machine.spec import MachineSpec
from harness.platform.libvirt import domain, far, last_words, processes, room
from harness.platform.libvirt.domain import Identity
from harness.platform.libvirt.events import LibvirtEvents
from harness.platform.libvirt.files import Clone, Guard, Kept, Origin, Workplace, on_this_host, open_files
from harness.platform.libvirt.given import Files
from harness.platform.libvirt.hardware import ALIAS
from harness.platform.libvirt.host import LibvirtHost
from harness.platform.libvirt.library import ask, is_session, limited, load, translated
from harness.platform.libvirt.monitor import DomainMonitor
from harness.platform.libvirt.proof import START
from harness.platform.libvirt.remote import Cargo, with_sockets
from harness.platform.libvirt.streams import Courier, DomainStream, new_stream
from harness.platform.parts import frozen
from harness.platform.parts.frozen import Frozen
from harness.platform.parts.given import GivenConfig
from harness.platform.parts.machine import QemuMachine
from harness.util.deadline import Deadline
from harness.util.process_times import ProcessTimes

XML_FILE = "domain.xml"

_SSH_PORT = 22
_FROM_LEASES = 0  # libvirt's VIR_DOMAIN_INTERFACE_ADDRESSES_SRC_LEASE

_ANSWER_SECONDS = 10.0
_DESTROY_SECONDS = 20.0
"""libvirt kills a QEMU that does not end within 10 s. A test whose time is up has 30 s to end machines."""


class LibvirtInstance(QemuMachine):
    """Implements harness.machine.instance.Instance for a transient domain.

    The daemon destroys it when this process ends (autodestroy).
    """

    _prefix = ALIAS

    def __init__(
        self,
        spec: MachineSpec,
        given: GivenConfig,
        origin: Origin,
        *,
        directory: Path,
        host: LibvirtHost,
        deadline: Deadline,
    ) -> None:
        """Start a domain. Raises ConfigError or InfrastructureError, leaving nothing behind."""
        reason = host.refuses(spec)
        if reason:
            raise ConfigError(reason, hint="such machines run with -p qemu")
        super().__init__(spec, directory)
        self._host = host
        self._origin = origin
        self._pid: int | None = None
        self._typist: DomainStream | None = None
        self._domain: Any = None
        self._identity = Identity(host.new_name(), str(uuid.uuid4()), host.owner)
        self._events = LibvirtEvents(self.incidents, self._streams.monitor, self._last_words)
        try:
            self._start(given, deadline)
        except BaseException:
            self.close()
            raise

    def _start(self, given: GivenConfig, deadline: Deadline) -> None:
        owned = self._owned
        owned.callback(self._streams.close)  # reads them to their ends before they are closed
        self._connection = self._host.connection()
        courier = Courier(self._directory.name)
        owned.callback(courier.close)
        self._events.on_lost = courier.end_all
        with ExitStack() as handed_over:
            with on_this_host():
                place = Workplace(self._host.owner)
                handed_over.callback(place.close)
                config = given.to_bytes(self._spec, self._directory)
                local = self._host.local
                files, guard = open_files(
                    self._spec,
                    self._origin,
                    config,
                    place,
                    owned=owned,
                    local=local,
                    with_disks=local or self._source is None,
                )
            files = replace(files, network=self._host.network)
            cargo: Cargo | None = None
            if not local:
                cargo = Cargo(self._host.store(), self._host.owner)
                handed_over.callback(cargo.close)
                files = self._carry(files, cargo, place)
                if is_session(self._host.uri):
                    files = with_sockets(files, self._host.store().directory, self._identity.name)
            xml = domain.build(
                self._spec,
                files,
                identity=self._identity,
                accelerator=self._host.proof.accelerator,
                labels=self._host.labels,
            )
            (self._directory / XML_FILE).write_text(xml, encoding="utf-8", errors="surrogateescape")
            owned.callback(self._connection.watch(self._identity.uuid, self._events))
            owned.callback(self._destroy)
            self._domain = self._create(xml, deadline)
            if not room.fits(self._connection.handle, self._domain.ID()):
                raise InfrastructureError(
                    f"others have started machines on {self._host.entry.name} meanwhile: no memory is left",
                    cause=HOST_FULL,
                )
            if not files.incoming:
                place.remove_files()
            self._monitor = DomainMonitor(self._domain)
            if local:
                self._pid = processes.process_of(self._identity.name)
            self._times = None if self._pid is None else ProcessTimes(self._pid)
            self._open_streams(courier, guard)
            if not self._host.network:
                self._find_port(deadline.sub(_ANSWER_SECONDS))
            source = self._source
            if cargo is not None and source is not None:
                far.load(self._monitor, source, cargo, deadline)
                self._preload(source)
            if files.incoming:
                assert source is not None
                self._load(source, deadline)
                self._run(deadline)  # QEMU opens a clone's disks for writing only now
        if not files.incoming:
            self._run(deadline)

    def _carry(self, files: Files, cargo: Cargo, place: Workplace) -> Files:
        """Have the files on the machines' host, which is not this one."""
        store, source, target = self._host.store(), self._source, self._target
        with on_this_host():
            if source is None and target is not None:
                return far.begin(self._spec, files, cargo, store, target.directory)
            if source is None:
                return cargo.carry(self._spec, files)
            files = cargo.carry(self._spec, files)
            if target is None:
                return far.clone(self._spec, files, cargo, source.directory, place.files)
            return far.continued(self._spec, files, store, source.directory, target.directory, place.files)

    def _run(self, deadline: Deadline) -> None:
        ask("starting the guest", self._domain.resume, deadline=deadline, cause="qemu-exited")
        self._events.expect_to_run()

    def _create(self, xml: str, deadline: Deadline) -> Any:
        library = load()
        try:
            return limited(
                lambda: self._connection.handle.createXML(xml, START),
                deadline.remaining,
                late=lambda domain: domain.destroy(),
            )
        except FutureTimeout:
            raise DeadlineExceeded("waiting for libvirt to start QEMU", seconds=deadline.elapsed) from None
        except library.libvirtError as error:
            raise self._host.not_started(error, self._last_words()) from None

    def _open_streams(self, courier: Courier, guard: Guard | None) -> None:
        """Open the guest's channels while it is paused, so that its first byte arrives."""
        pump = self._streams.pump
        for channel in self._spec.channels:
            with translated(f"opening channel {channel.name}", cause="qemu-exited"):
                handle = new_stream(self._connection.handle)
                if channel.port:
                    self._domain.openChannel(channel.port, handle, 0)
                else:
                    self._domain.openConsole(domain.CONSOLE_ALIAS, handle, 0)
                ours, theirs = socket.socketpair()
                pump.attach(ours, *self._kept(channel, self._target), *self._streams.readers(channel))
                stream = courier.carry(handle, theirs)
            if channel.use is Use.CONSOLE:
                self._typist = stream
        if guard is not None:
            frames, reader = guard.accept()
            pump.attach(frames, reader)

    @property
    def _target(self) -> Frozen | None:
        """The template that this machine is frozen into."""
        return self._origin.files.target if isinstance(self._origin, Kept) else None

    @property
    def _source(self) -> Frozen | None:
        """The template that this machine continues from."""
        match self._origin:
            case Clone(source=source):
                return source
            case Kept(files=files):
                return files.source
        return None

    def freeze(self, deadline: Deadline) -> None:
        """Freeze the machine into the files it was started on."""
        if self._target is None:
            raise ValueError("this machine was not started to be frozen")
        self._events.expect_pause()
        if self._host.local:
            frozen.save(self._monitor, self._target, deadline)
            return
        store = self._host.store()
        cargo = Cargo(store, self._host.owner)
        try:
            far.save(self._monitor, self._target, store, cargo, deadline)
        finally:
            cargo.close()

    def _last_words(self) -> str:
        return last_words.of(self._host.uri, self._identity.name) if self._host.local else ""

    # The rest of the Instance protocol

    @property
    def name(self) -> str:
        """The name of the domain."""
        return self._identity.name

    @property
    def running(self) -> bool:
        return not self._events.stopped.is_set()

    @property
    def ssh_route(self) -> SshRoute:
        """Raises OSError as long as the guest has no address on a network of libvirt's."""
        if not self._host.network:
            return self._host.route("127.0.0.1", self._port)
        address = self._lease()
        if not address:
            raise OSError(f"the guest has no address on libvirt's network {self._host.network} yet")
        return self._host.route(address, _SSH_PORT)

    def ssh_accepted(self) -> bool:
        # On a network of libvirt's nothing stands in between.
        return bool(self._lease()) if self._host.network else super().ssh_accepted()

    def _lease(self) -> str:
        """Return the guest's IPv4 address on the network of libvirt's; empty as long as it has none."""
        try:
            found = ask(
                "looking for the guest's address",
                lambda: self._domain.interfaceAddresses(_FROM_LEASES, 0),
                deadline=Deadline(_ANSWER_SECONDS),
            )
        except (InfrastructureError, DeadlineExceeded):
            return ""
        addresses = [one for card in (found or {}).values() for one in card.get("addrs") or ()]
        return next((str(one["addr"]) for one in addresses if one.get("type") == 0), "")

    @property
    def cpu_seconds(self) -> float:
        if self._times is not None:
            return self._times.used
        try:
            told = ask("asking for CPU time", self._domain.info, deadline=Deadline(_ANSWER_SECONDS))
        except (InfrastructureError, DeadlineExceeded):
            return 0.0  # the machine is ending, which is reported elsewhere
        return float(told[4]) / 1e9

    def clock(self) -> float:
        return time.monotonic() - (0.0 if self._times is None else self._times.waited)

    @property
    def pid(self) -> int | None:
        """The process of QEMU; None when this user does not see it."""
        return self._pid

    def type_console(self, data: bytes) -> None:
        assert self._typist is not None  # every machine has a console
        self._typist.send(data, Deadline(10))

    def reset(self) -> None:
        deadline = Deadline(_ANSWER_SECONDS)
        ask("resetting the machine", lambda: self._domain.reset(0), deadline=deadline, cause="qemu-exited")

    def kill(self, reason: str) -> None:
        self._events.killed = self._events.killed or reason
        self._destroy()

    def screenshot(self, path: Path) -> None:
        if not self._spec.display:
            raise ConfigError("this machine has no display", hint="ask for one: display=True")

        def read() -> str:
            stream = self._connection.handle.newStream(0)
            kind = str(self._domain.screenshot(stream, 0, 0))
            with path.open("wb") as file:
                stream.recvAll(lambda _, data, __: file.write(data), None)
            stream.finish()
            return kind

        kind = ask("reading the display", read, deadline=Deadline(_ANSWER_SECONDS))
        if kind != "image/png":
            raise InfrastructureError(f"libvirt gives the display as {kind}, not PNG", cause="no-png")

    def wait_exit(self, deadline: Deadline) -> None:
        if not self._events.stopped.wait(deadline.remaining):
            raise DeadlineExceeded(
                "waiting for the machine to power off",
                seconds=deadline.elapsed,
                last_seen=self.console.text(1),
            )
        if self._connection.lost:
            raise InfrastructureError(self._connection.lost, cause=HOST_LOST)

    def _destroy(self) -> None:
        """End the domain at once; where its daemon is gone, its QEMU."""
        obeyed = True
        if not self._connection.lost:
            try:
                ask("ending the machine", self._end_domain, deadline=Deadline(_DESTROY_SECONDS))
            except DeadlineExceeded:
                obeyed = False
            except InfrastructureError:
                pass  # it may have ended
        if self._host.local and (self._connection.lost or not obeyed):
            processes.kill(self._identity.name, self._pid)

    def _end_domain(self) -> None:
        # A start that was interrupted may have made a domain that it did not give us.
        found = self._domain or self._connection.handle.lookupByUUIDString(self._identity.uuid)
        found.destroy()

    def close(self) -> None:
        """End the domain, drain its streams to their files and close everything. May be called again."""
        self._events.closing = True
        self._owned.close()
        self._events.stopped.set()
        if self._host.local:
            last_words.forget(self._host.uri, self._identity.name)

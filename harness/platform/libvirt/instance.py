"""A running domain: start, monitoring, control and cleanup."""

from __future__ import annotations

import socket
import time
import uuid
from concurrent.futures import TimeoutError as FutureTimeout
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from harness.errors import ConfigError, DeadlineExceeded, InfrastructureError
from harness.machine.boot import PRIMARY
from harness.machine.channels import Channel, Use
from harness.machine.guest_streams import GuestStreams
from harness.machine.incidents import HOST_LOST, Incidents
from harness.machine.journal import Journal
from harness.machine.lines import LineLog
from harness.machine.route import SshRoute
from harness.machine.spec import MachineSpec
from harness.machine.streams import FileSink, Reader, Tail
from harness.platform.libvirt import command, domain, last_words, processes
from harness.platform.libvirt.domain import Identity
from harness.platform.libvirt.events import LibvirtEvents
from harness.platform.libvirt.files import Clone, Guard, Kept, Origin, Workplace, on_this_host, open_files
from harness.platform.libvirt.hardware import ALIAS
from harness.platform.libvirt.host import LibvirtHost
from harness.platform.libvirt.library import ask, limited, load, translated
from harness.platform.libvirt.monitor import DomainMonitor, MonitorRefusal
from harness.platform.libvirt.proof import START
from harness.platform.libvirt.streams import Courier, DomainStream, new_stream
from harness.platform.parts import frozen, usernet
from harness.platform.parts.diskargs import device_id, path_device
from harness.platform.parts.frozen import Frozen
from harness.platform.parts.given import GivenConfig
from harness.util.deadline import Deadline
from harness.util.process_times import ProcessTimes

XML_FILE = "domain.xml"

_ANSWER_SECONDS = 10.0
_DESTROY_SECONDS = 20.0
"""libvirt kills a QEMU that does not end within 10 s. A test whose time is up has 30 s to end machines."""


class LibvirtInstance:
    """Implements harness.machine.instance.Instance for a transient domain.

    The daemon destroys it when this process ends (autodestroy).
    """

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
        self._spec = spec
        self._directory = directory
        self._host = host
        self._origin = origin
        self._port = 0
        self._plugged = 0
        self._first = ""
        self._pid: int | None = None
        self._typist: DomainStream | None = None
        self._domain: Any = None
        self._identity = Identity(host.new_name(), str(uuid.uuid4()), host.owner)
        directory.mkdir(parents=True, exist_ok=True)
        self._streams = GuestStreams(spec.channels, directory)
        self._events = LibvirtEvents(self.incidents, self._streams.monitor, self._last_words)
        self._owned = ExitStack()
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
                files, guard = open_files(self._spec, self._origin, config, place, owned=owned)
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
            if not files.incoming:
                place.remove_files()
            self._monitor = DomainMonitor(self._domain)
            self._pid = processes.process_of(self._identity.name)
            self._times = None if self._pid is None else ProcessTimes(self._pid)
            self._open_streams(courier, guard)
            if self._spec.network:
                table = self._monitor.human("info usernet", deadline=deadline.sub(_ANSWER_SECONDS))
                self._port = usernet.ssh_port(table)
            if files.incoming:
                self._resume(deadline)
                self._run(deadline)  # QEMU opens a clone's disks for writing only now
        if not files.incoming:
            self._run(deadline)

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
                pump.attach(ours, *self._kept(channel), *self._streams.readers(channel))
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

    def _kept(self, channel: Channel) -> list[Reader]:
        """Return the readers that keep a channel's data in a template for its clones."""
        if channel.use is Use.JOURNAL and self._target is not None:
            return [FileSink(self._target.journal)]
        return []

    def freeze(self, deadline: Deadline) -> None:
        """Freeze the machine into the files it was started on."""
        if self._target is None:
            raise ValueError("this machine was not started to be frozen")
        self._events.expect_pause()
        frozen.save(self._monitor, self._target, deadline)

    def _resume(self, deadline: Deadline) -> None:
        """Load the template's state, and add what it had logged."""
        source = self._source
        assert source is not None
        frozen.load(self._monitor, source, deadline)
        for line in source.journal.read_bytes().splitlines():
            self.journal.preload_line(line)

    def _last_words(self) -> str:
        return last_words.of(self._host.uri, self._identity.name)

    # The Instance protocol, and plug_nic for private networks

    @property
    def spec(self) -> MachineSpec:
        return self._spec

    @property
    def directory(self) -> Path:
        return self._directory

    @property
    def name(self) -> str:
        """The name of the domain."""
        return self._identity.name

    @property
    def console(self) -> Tail:
        return self._streams.console

    @property
    def journal(self) -> Journal:
        return self._streams.journal

    @property
    def incidents(self) -> Incidents:
        return self._streams.incidents

    def lines(self, channel: str) -> LineLog:
        return self._streams.lines(channel)

    @property
    def running(self) -> bool:
        return not self._events.stopped.is_set()

    @property
    def cpu_seconds(self) -> float:
        return 0.0 if self._times is None else self._times.used

    def clock(self) -> float:
        return time.monotonic() - (0.0 if self._times is None else self._times.waited)

    @property
    def pid(self) -> int | None:
        """The process of QEMU; None when this user does not see it."""
        return self._pid

    @property
    def ssh_route(self) -> SshRoute:
        return SshRoute("127.0.0.1", self._port)

    def ssh_accepted(self) -> bool:
        try:
            table = self._monitor.human("info usernet", deadline=Deadline(_ANSWER_SECONDS))
        except InfrastructureError:
            return False  # the machine is ending, which its events report
        return usernet.accepted(table)

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

    def unplug_disk_path(self, disk: int = 0, path: int = 0) -> None:
        """Remove one path to a multipath disk; disk 0 is the primary one."""
        self._monitor.execute("device_del", deadline=Deadline(10), id=path_device(disk, path))

    def boot_first(self, device: str) -> None:
        """From the next reset on, have the firmware try this device before all others."""
        if self._first:
            self._set_boot_index(self._first, self._spec.boot_index(self._first))
        self._set_boot_index(device, 0)
        self._first = device

    def _set_boot_index(self, device: str, index: int | None) -> None:
        several = device == PRIMARY and self._spec.primary_disk.multipath
        name = path_device(0, 0) if several else ALIAS + device_id(device)
        value = -1 if index is None else index
        try:
            self._monitor.execute(
                "qom-set",
                deadline=Deadline(10),
                path=f"/machine/peripheral/{name}",
                property="bootindex",
                value=value,
            )
        except MonitorRefusal as error:
            raise ConfigError(f"the machine cannot boot from {device!r}: {error.description}") from error

    def plug_nic(self, peer: socket.socket, mac: str) -> None:
        """Add a NIC whose frames are datagrams on a socket connected to `peer`."""
        deadline = Deadline(10)
        name = f"plugged{self._plugged}"
        self._plugged += 1
        self._monitor.send_descriptor(name, peer.fileno(), deadline=deadline)
        self._monitor.execute(
            "netdev_add", deadline=deadline, type="dgram", id=name, local={"type": "fd", "str": name}
        )
        self._monitor.execute(
            "device_add",
            deadline=deadline,
            driver="virtio-net-pci",
            netdev=name,
            id=f"{name}-card",
            mac=mac,
            romfile="",
            **command.spare_slot(self._spec),
        )

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
        if self._connection.lost or not obeyed:
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
        last_words.forget(self._host.uri, self._identity.name)

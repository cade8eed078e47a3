"""The common part of instances, whoever started their QEMU: streams, and changes of devices."""

from __future__ import annotations

import socket
from contextlib import ExitStack
from pathlib import Path

from harness.errors import ConfigError, InfrastructureError
from harness.machine.boot import PRIMARY
from harness.machine.channels import Channel, Use
from harness.machine.guest_streams import GuestStreams
from harness.machine.incidents import Incidents
from harness.machine.journal import Journal
from harness.machine.lines import LineLog
from harness.machine.route import SshRoute
from harness.machine.spec import MachineSpec
from harness.machine.streams import FileSink, Reader, Tail
from harness.platform.parts import frozen, nics, usernet
from harness.platform.parts.diskargs import device_id, path_device
from harness.platform.parts.frozen import Frozen
from harness.platform.parts.monitor import Monitor, MonitorRefusal
from harness.util.deadline import Deadline

_ANSWER_SECONDS = 10.0


class QemuMachine:
    """The base of instances. A subclass starts QEMU and sets `_monitor` and `_port`."""

    _monitor: Monitor
    _prefix = ""
    """The beginning of the ids of devices."""

    def __init__(self, spec: MachineSpec, directory: Path) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self._spec = spec
        self._directory = directory
        self._streams = GuestStreams(spec.channels, directory)
        self._owned = ExitStack()
        self._port = 0
        self._plugged = 0
        self._first = ""

    @property
    def spec(self) -> MachineSpec:
        return self._spec

    @property
    def directory(self) -> Path:
        return self._directory

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
    def ssh_route(self) -> SshRoute:
        return SshRoute("127.0.0.1", self._port)

    def ssh_accepted(self) -> bool:
        try:
            table = self._monitor.human("info usernet", deadline=Deadline(_ANSWER_SECONDS))
        except InfrastructureError:
            return False  # the machine is ending, which is reported elsewhere
        return usernet.accepted(table)

    def unplug_disk_path(self, disk: int = 0, path: int = 0) -> None:
        """Remove one path to a multipath disk; disk 0 is the primary one."""
        self._monitor.execute("device_del", deadline=Deadline(_ANSWER_SECONDS), id=path_device(disk, path))

    def boot_first(self, device: str) -> None:
        """From the next reset on, have the firmware try this device before all others."""
        if self._first:
            self._set_boot_index(self._first, self._spec.boot_index(self._first))
        self._set_boot_index(device, 0)
        self._first = device

    def _set_boot_index(self, device: str, index: int | None) -> None:
        several = device == PRIMARY and self._spec.primary_disk.multipath
        name = path_device(0, 0) if several else self._prefix + device_id(device)
        value = -1 if index is None else index
        try:
            self._monitor.execute(
                "qom-set",
                deadline=Deadline(_ANSWER_SECONDS),
                path=f"/machine/peripheral/{name}",
                property="bootindex",
                value=value,
            )
        except MonitorRefusal as error:
            raise ConfigError(f"the machine cannot boot from {device!r}: {error.description}") from error

    def plug_nic(self, peer: socket.socket, mac: str) -> None:
        """Add a NIC whose frames are datagrams on a socket connected to `peer`."""
        deadline = Deadline(_ANSWER_SECONDS)
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
            **nics.spare_slot(self._spec),
        )

    def _find_port(self, deadline: Deadline) -> None:
        if self._spec.network:
            table = self._monitor.human("info usernet", deadline=deadline)
            self._port = usernet.ssh_port(table)

    def _load(self, template: Frozen, deadline: Deadline) -> None:
        """Load a template's state, and add what it had logged."""
        frozen.load(self._monitor, template, deadline)
        self._preload(template)

    def _preload(self, template: Frozen) -> None:
        """Add what a template's machine had logged."""
        for line in template.journal.read_bytes().splitlines():
            self.journal.preload_line(line)

    @staticmethod
    def _kept(channel: Channel, target: Frozen | None) -> list[Reader]:
        """Return the readers that keep a channel's data in the template `target` for its clones."""
        if channel.use is Use.JOURNAL and target is not None:
            return [FileSink(target.journal)]
        return []

"""One running QEMU: started, watched, talked to, and gone without a trace when closed."""

from __future__ import annotations

import os
import re
import shlex
import socket
import tempfile
import threading
from contextlib import ExitStack
from pathlib import Path

from harness.errors import ConfigError, DeadlineExceeded, InfrastructureError
from harness.ignition import IgnitionConfig
from harness.machine.incidents import Incidents
from harness.machine.initramfs import InitramfsChannel
from harness.machine.journal import Journal
from harness.machine.spec import MachineSpec
from harness.machine.streams import FileSink, LineSplitter, StreamPump, Tail
from harness.platform.qemu import argv, firmware, frozen
from harness.platform.qemu.accel import Accelerator, find_qemu
from harness.platform.qemu.diskargs import path_device
from harness.platform.qemu.frozen import Frozen
from harness.platform.qemu.qmp import Qmp, QmpError, send_all
from harness.platform.qemu.supplies import Sockets, Supplier, config_bytes
from harness.platform.qemu.watch import Watch
from harness.util.deadline import Deadline
from harness.util.process import Child, spawn

# The first word of a row of `info usernet` about a connection the guest has taken.
_TAKEN = "TCP[ESTABLISHED]"
_CHANNELS = ("qmp", "console", "journal", "initramfs")


class QemuInstance:
    """Implements harness.machine.instance.Instance for a local QEMU process."""

    def __init__(
        self,
        spec: MachineSpec,
        ignition: IgnitionConfig | bytes | None,
        *,
        directory: Path,
        accelerator: Accelerator,
        deadline: Deadline,
        freezing: Frozen | None = None,
        resuming: Frozen | None = None,
        pad_ignition: int | None = None,
    ) -> None:
        """Start QEMU; raises ConfigError or InfrastructureError, leaving nothing behind.

        With `freezing` RAM and disk are kept in files from the start, so that `freeze` is quick; with
        `resuming` the machine goes on from there, on overlays of its own, or with both on the files of
        `freezing`, which are copies then. `pad_ignition` is the size in bytes that the config is padded to.
        """
        self._pad_ignition = pad_ignition
        self._spec = spec
        self._directory = directory
        self._incidents = Incidents()
        self._console = Tail()
        self._port = 0
        self._killed = ""
        self._closing = False
        self._plugged = 0
        self._freezing = freezing
        self._resuming = resuming
        find_qemu(spec.arch)
        directory.mkdir(parents=True, exist_ok=True)
        self._watch = Watch(self._incidents, self._console)
        self._journal = Journal(directory / "journal.txt", self._watch.journal)
        self._owned = ExitStack()
        try:
            self._start(ignition, accelerator, deadline)
        except BaseException:
            self.close()
            raise

    def _start(
        self, ignition: IgnitionConfig | bytes | None, accelerator: Accelerator, deadline: Deadline
    ) -> None:
        spec, owned = self._spec, self._owned
        owned.callback(self._journal.close)
        channels = {name: socket.socketpair() for name in _CHANNELS}
        ours = {name: mine for name, (mine, _) in channels.items()}
        for mine in ours.values():
            owned.callback(mine.close)
        self._pump = StreamPump(
            self._directory.name, lambda error: self._watch.stream_error(error, self._directory)
        )
        owned.callback(self._pump.close)
        self._typist = owned.enter_context(ours["console"].dup())
        self._qmp = Qmp(owned.enter_context(ours["qmp"].dup()), self._watch.event)
        initramfs = InitramfsChannel(self._directory / "ignition-virtio-dump.txt", self._incidents.report)

        watcher = threading.Thread(target=self._await_exit, name="qemu exit", daemon=True)
        with ExitStack() as handed_over:
            theirs = {name: handed_over.enter_context(end) for name, (_, end) in channels.items()}
            files = firmware.find(spec.firmware, spec.arch)
            supplier = Supplier(
                spec,
                freezing=self._freezing,
                resuming=self._resuming,
                handed_over=handed_over,
                owned=owned,
            )
            config = None
            if ignition is not None:
                config = config_bytes(spec, ignition, self._directory, pad_to=self._pad_ignition)
            fds = supplier.open(Sockets(**theirs), config, files)
            command = argv.build(
                spec,
                fds,
                accelerator=accelerator,
                firmware=files,
                memory=supplier.memory(),
                incoming=self._resuming is not None,
            )
            (self._directory / "qemu-command.txt").write_text(shlex.join(command) + "\n")
            errors = handed_over.enter_context(tempfile.TemporaryFile())
            self._errors = os.dup(errors.fileno())
            owned.callback(os.close, self._errors)
            self._child: Child = spawn(
                command, name="qemu", pass_fds=fds.all(), stdout=errors.fileno(), stderr=errors.fileno()
            )
            watcher.start()
            owned.callback(watcher.join)  # it reads what QEMU said last
            owned.callback(self._child.stop)
        owned.callback(self._quit)

        self._pump.attach(ours["qmp"], LineSplitter(self._qmp.feed_line), self._on_qmp_end)
        self._pump.attach(ours["console"], FileSink(self._directory / "console.txt"), self._watch.console)
        kept = [FileSink(self._freezing.journal)] if self._freezing else []
        self._pump.attach(ours["journal"], *kept, LineSplitter(self._journal.add_line))
        self._pump.attach(ours["initramfs"], initramfs)
        try:
            self._qmp.negotiate(deadline.sub(30))
            if spec.network:
                self._port = self._forwarded_port(deadline)
            if self._resuming is not None:
                self._resume(self._resuming, deadline)
            self._qmp.execute("cont", deadline=deadline)
        except InfrastructureError as error:
            if error.cause == "qemu-exited":
                raise self._died("QEMU did not start") from None
            raise

    def freeze(self, deadline: Deadline) -> None:
        """Bring the machine to rest in the files it was started on."""
        if self._freezing is None:
            raise ValueError("this machine was not started to be frozen")
        frozen.save(self._qmp, self._freezing, deadline)

    def _resume(self, template: Frozen, deadline: Deadline) -> None:
        """Take over the template's state, and remember what it had logged."""
        frozen.load(self._qmp, template, deadline)
        for line in template.journal.read_bytes().splitlines():
            self._journal.preload_line(line)

    def _forwarded_port(self, deadline: Deadline) -> int:
        table = self._qmp.hmp("info usernet", deadline=deadline)
        found = re.search(r"TCP\[HOST_FORWARD\]\s+\d+\s+127\.0\.0\.1\s+(\d+)\s+\S+\s+22\s", table)
        if found is None:
            raise InfrastructureError("QEMU names no forwarded SSH port", cause="no-ssh-port", evidence=table)
        return int(found[1])

    def _on_qmp_end(self, data: bytes) -> None:
        if not data:
            self._qmp.feed_end()

    def _await_exit(self) -> None:
        """Tell waiters at once when QEMU ends that nobody asked to end."""
        while self._child.wait(3600) is None:
            continue
        if not self._closing:
            self._watch.host(
                "qemu-exited", self._died("QEMU ended while its guest was needed").message, "QEMU"
            )

    def _died(self, summary: str) -> InfrastructureError:
        if self._killed:
            return InfrastructureError(f"the machine was stopped: {self._killed}", cause="machine-killed")
        self._child.wait(5)
        said = os.pread(self._errors, 4000, 0).decode(errors="replace").strip()
        words = f"{summary}: it {self._child.describe_exit()}" + (f", saying: {said}" if said else "")
        return InfrastructureError(words, cause="qemu-exited", evidence=self._console.text(5))

    # The Instance protocol

    @property
    def spec(self) -> MachineSpec:
        return self._spec

    @property
    def directory(self) -> Path:
        return self._directory

    @property
    def console(self) -> Tail:
        return self._console

    @property
    def journal(self) -> Journal:
        return self._journal

    @property
    def incidents(self) -> Incidents:
        return self._incidents

    @property
    def running(self) -> bool:
        return self._child.running

    @property
    def pid(self) -> int:
        return self._child.pid

    @property
    def qmp(self) -> Qmp:
        return self._qmp

    @property
    def ssh_endpoint(self) -> tuple[str, int]:
        return ("127.0.0.1", self._port)

    def ssh_taken(self) -> bool:
        try:
            table = self._qmp.hmp("info usernet", deadline=Deadline(10))
        except InfrastructureError:
            return False  # QEMU is ending; its watcher will say so
        return _TAKEN in table

    def type_console(self, data: bytes) -> None:
        send_all(self._typist, data, Deadline(10))

    def reset(self) -> None:
        self._qmp.execute("system_reset", deadline=Deadline(10))

    def kill(self, reason: str) -> None:
        self._killed = self._killed or reason
        self._child.stop()

    def screenshot(self, path: Path) -> None:
        target = str(path.resolve())
        try:
            self._qmp.execute("screendump", deadline=Deadline(10), filename=target, format="png")
        except QmpError as error:
            if self._spec.display:
                raise
            raise ConfigError("this machine has no display", hint="ask for one: display=True") from error

    def unplug_disk_path(self, disk: int = 0, path: int = 0) -> None:
        """Take away one path to a multipath disk; disk 0 is the primary one."""
        self._qmp.execute("device_del", deadline=Deadline(10), id=path_device(disk, path))

    def plug_nic(self, peer: socket.socket, mac: str) -> None:
        """Add a NIC whose frames are datagrams on a socket connected to `peer`."""
        deadline = Deadline(10)
        name = f"plugged{self._plugged}"
        self._plugged += 1
        self._qmp.send_descriptor(name, peer.fileno(), deadline=deadline)
        self._qmp.execute(
            "netdev_add", deadline=deadline, type="dgram", id=name, local={"type": "fd", "str": name}
        )
        self._qmp.execute(
            "device_add",
            deadline=deadline,
            driver="virtio-net-pci",
            netdev=name,
            id=f"{name}-card",
            mac=mac,
            romfile="",
            **argv.spare_slot(self._spec),
        )

    def wait_exit(self, deadline: Deadline) -> None:
        if self._child.wait(deadline.remaining) is None:
            raise DeadlineExceeded(
                "waiting for the machine to power off",
                seconds=deadline.elapsed,
                last_seen=self._console.text(1),
            )

    def _quit(self) -> None:
        """SIGKILL is enough: overlays are nameless and nothing of the guest is kept."""
        self._closing = True
        self._child.stop()

    def close(self) -> None:
        """End QEMU, drain its streams to their files, close everything. May be called again."""
        self._closing = True
        self._owned.close()

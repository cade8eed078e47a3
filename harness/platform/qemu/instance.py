"""A running QEMU process: start, monitoring, control and cleanup."""

from __future__ import annotations

import os
import shlex
import socket
import tempfile
import threading
import time
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from harness.errors import ConfigError, DeadlineExceeded, InfrastructureError
from harness.machine.channels import Use
from harness.machine.spec import MachineSpec
from harness.machine.streams import LineSplitter
from harness.platform.parts import firmware, frozen, loopback
from harness.platform.parts.accel import Accelerator, find_qemu
from harness.platform.parts.given import GivenConfig
from harness.platform.parts.machine import QemuMachine
from harness.platform.parts.storage import Storage
from harness.platform.qemu import argv
from harness.platform.qemu.events import QemuEvents
from harness.platform.qemu.qmp import Qmp, QmpError, send_all
from harness.platform.qemu.resources import QemuResources
from harness.util.deadline import Deadline
from harness.util.process import Child, spawn
from harness.util.process_times import ProcessTimes

_LAST_EVENT_SECONDS = 2.0


class QemuInstance(QemuMachine):
    """Implements harness.machine.instance.Instance for a local QEMU process."""

    def __init__(
        self,
        spec: MachineSpec,
        given: GivenConfig,
        storage: Storage,
        *,
        directory: Path,
        accelerator: Accelerator,
        deadline: Deadline,
    ) -> None:
        """Start QEMU. Raises ConfigError or InfrastructureError, leaving nothing behind."""
        find_qemu(spec.arch)
        super().__init__(spec, directory)
        self._killed = ""
        self._closing = False
        self._qmp_ended = threading.Event()
        self._storage = storage
        try:
            self._start(given, accelerator, deadline)
        except BaseException:
            self.close()
            raise

    def _start(self, given: GivenConfig, accelerator: Accelerator, deadline: Deadline) -> None:
        spec, owned = self._spec, self._owned
        pairs = [(channel, *socket.socketpair()) for channel in spec.channels]
        ours, theirs = socket.socketpair()
        for end in (ours, *(mine for _, mine, _ in pairs)):
            owned.callback(end.close)
        guarded = loopback.connect(spec, owned)
        owned.callback(self._streams.close)  # reads them to their ends before they are closed
        console = next(mine for channel, mine, _ in pairs if channel.use is Use.CONSOLE)
        self._typist = owned.enter_context(console.dup())
        events = QemuEvents(self.incidents, self._streams.monitor)
        self._qmp = self._monitor = Qmp(owned.enter_context(ours.dup()), events)

        watcher = threading.Thread(target=self._await_exit, name="qemu exit", daemon=True)
        with ExitStack() as handed_over:
            handed_over.enter_context(theirs)
            channels = tuple((channel, handed_over.enter_context(end)) for channel, _, end in pairs)
            files = firmware.find(spec.firmware, spec.arch)
            resources = QemuResources(spec, storage=self._storage, handed_over=handed_over, owned=owned)
            config = given.to_bytes(spec, self._directory)
            fds = resources.open(theirs, channels, config, files)
            if guarded is not None:
                fds = replace(
                    fds, guard=tuple(handed_over.enter_context(end).fileno() for end in guarded.theirs)
                )
            command = argv.build(
                spec,
                fds,
                accelerator=accelerator,
                firmware=files,
                memory=self._storage.memory(),
                incoming=self._storage.source is not None,
            )
            (self._directory / "qemu-command.txt").write_text(
                shlex.join(command) + "\n", encoding="utf-8", errors="surrogateescape"
            )
            errors = handed_over.enter_context(tempfile.TemporaryFile())
            self._errors = os.dup(errors.fileno())
            owned.callback(os.close, self._errors)
            self._child: Child = spawn(
                command, name="qemu", pass_fds=fds.all(), stdout=errors.fileno(), stderr=errors.fileno()
            )
            self._times = ProcessTimes(self._child.pid)
            watcher.start()
            owned.callback(watcher.join)  # it reads QEMU's last output
            owned.callback(self._child.stop)
        owned.callback(self._quit)

        pump = self._streams.pump
        pump.attach(ours, LineSplitter(self._qmp.feed_line), self._on_qmp_end)
        for channel, mine, _ in pairs:
            pump.attach(mine, *self._kept(channel, self._storage.target), *self._streams.readers(channel))
        if guarded is not None:
            pump.attach(guarded.frames, guarded.guard)
        try:
            self._qmp.negotiate(deadline.sub(30))
            self._find_port(deadline)
            if self._storage.source is not None:
                self._load(self._storage.source, deadline)
            self._qmp.execute("cont", deadline=deadline)
        except InfrastructureError as error:
            if error.cause == "qemu-exited":
                raise self._died("QEMU did not start") from None
            raise

    def freeze(self, deadline: Deadline) -> None:
        """Freeze the machine into the files it was started on."""
        if self._storage.target is None:
            raise ValueError("this machine was not started to be frozen")
        frozen.save(self._qmp, self._storage.target, deadline)

    def _on_qmp_end(self, data: bytes) -> None:
        if not data:
            self._qmp.feed_end()
            self._qmp_ended.set()

    def _await_exit(self) -> None:
        """Report at once when QEMU ends without having been asked to."""
        while self._child.wait(3600) is None:
            continue
        if not self._closing:
            # Its last event may still be on the way, and names the cause.
            self._qmp_ended.wait(_LAST_EVENT_SECONDS)
            self._streams.monitor.host(
                "qemu-exited", self._died("QEMU ended while its guest was needed").message, "QEMU"
            )

    def _died(self, summary: str) -> InfrastructureError:
        if self._killed:
            return InfrastructureError(f"the machine was stopped: {self._killed}", cause="machine-killed")
        self._child.wait(5)
        said = os.pread(self._errors, 4000, 0).decode(errors="replace").strip()
        words = f"{summary}: it {self._child.describe_exit()}" + (f", saying: {said}" if said else "")
        return InfrastructureError(words, cause="qemu-exited", evidence=self.console.text(5))

    # The rest of the Instance protocol

    @property
    def running(self) -> bool:
        return self._child.running

    @property
    def cpu_seconds(self) -> float:
        return self._times.used

    def clock(self) -> float:
        return time.monotonic() - self._times.waited

    @property
    def pid(self) -> int:
        return self._child.pid

    @property
    def qmp(self) -> Qmp:
        return self._qmp

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

    def wait_exit(self, deadline: Deadline) -> None:
        if self._child.wait(deadline.remaining) is None:
            raise DeadlineExceeded(
                "waiting for the machine to power off",
                seconds=deadline.elapsed,
                last_seen=self.console.text(1),
            )

    def _quit(self) -> None:
        """End QEMU. SIGKILL is enough: overlays are nameless and nothing of the guest is kept."""
        self._closing = True
        self._child.stop()

    def close(self) -> None:
        """End QEMU, drain its streams to their files and close everything. May be called again."""
        self._closing = True
        self._owned.close()

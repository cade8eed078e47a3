"""One running QEMU: started, watched, talked to, and gone without a trace when closed."""

from __future__ import annotations

import errno
import os
import re
import shlex
import socket
import tempfile
import threading
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.errors import ConfigError, DeadlineExceeded, InfrastructureError
from harness.ignition import IgnitionConfig
from harness.machine.badness import Hit, Scanner
from harness.machine.incidents import Incident, Incidents
from harness.machine.initramfs import InitramfsChannel
from harness.machine.journal import Journal
from harness.machine.spec import MachineSpec
from harness.machine.streams import FileSink, LineSplitter, StreamPump, Tail
from harness.platform.qemu import argv, disks, firmware
from harness.platform.qemu.accel import Accelerator, find_qemu
from harness.platform.qemu.qmp import Qmp, send_all
from harness.util.deadline import Deadline
from harness.util.process import Child, spawn

# The first word of a row of `info usernet` about a connection the guest has taken.
_TAKEN = "TCP[ESTABLISHED]"

# Signs after which the guest will never answer again; everything else is judged by the health check.
_DEADLY = frozenset({"emergency-shell", "dracut-fatal", "kernel-panic"})


@dataclass(frozen=True)
class Frozen:
    """A machine at rest: RAM, disk and device state of one instant, and what it had logged."""

    directory: Path

    @property
    def memory(self) -> Path:
        return self.directory / "ram"

    @property
    def disk(self) -> Path:
        return self.directory / "disk.qcow2"

    @property
    def state(self) -> Path:
        return self.directory / "state"

    @property
    def journal(self) -> Path:
        return self.directory / "journal.jsonl"


class QemuInstance:
    """Implements harness.machine.instance.Instance for a local QEMU process."""

    def __init__(
        self,
        spec: MachineSpec,
        ignition: IgnitionConfig | None,
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
        `resuming` the machine goes on from there, on copies of its own. `pad_ignition` is the size in
        bytes that the config is padded to.
        """
        self._pad_ignition = pad_ignition
        self._spec = spec
        self._directory = directory
        self._incidents = Incidents()
        self._console = Tail()
        self._port = 0
        self._killed = ""
        self._closing = False
        self._freezing = freezing
        self._resuming = resuming
        find_qemu(spec.arch)
        directory.mkdir(parents=True, exist_ok=True)
        self._journal_scanner = Scanner()
        self._console_scanner = Scanner()
        self._journal = Journal(directory / "journal.txt", self._scan_journal)
        self._owned = ExitStack()
        try:
            self._start(ignition, accelerator, deadline)
        except BaseException:
            self.close()
            raise

    def _start(self, ignition: IgnitionConfig | None, accelerator: Accelerator, deadline: Deadline) -> None:
        spec, owned = self._spec, self._owned
        owned.callback(self._journal.close)
        ours = {name: self._channel() for name in ("qmp", "console", "journal", "initramfs")}
        for mine, _ in ours.values():
            owned.callback(mine.close)
        self._pump = StreamPump(self._directory.name, self._on_stream_error)
        owned.callback(self._pump.close)
        self._typist = ours["console"][0].dup()
        owned.callback(self._typist.close)
        qmp_writer = ours["qmp"][0].dup()
        owned.callback(qmp_writer.close)
        self._qmp = Qmp(qmp_writer, self._on_event)
        initramfs = InitramfsChannel(self._directory / "ignition-virtio-dump.txt", self._incidents.report)

        watcher = threading.Thread(target=self._watch, name="qemu exit", daemon=True)
        with ExitStack() as handed_over:
            for _, theirs in ours.values():
                handed_over.callback(theirs.close)
            files = firmware.find(spec.firmware, spec.arch)
            fds = self._descriptors(handed_over, ours, ignition, files)
            command = argv.build(
                spec,
                fds,
                accelerator=accelerator,
                firmware=files,
                memory=self._memory(),
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

        self._pump.attach(ours["qmp"][0], LineSplitter(self._qmp.feed_line), self._on_qmp_end)
        self._pump.attach(ours["console"][0], FileSink(self._directory / "console.txt"), self._on_console)
        kept = [FileSink(self._freezing.journal)] if self._freezing else []
        self._pump.attach(ours["journal"][0], *kept, LineSplitter(self._journal.add_line))
        self._pump.attach(ours["initramfs"][0], initramfs)
        try:
            self._qmp.negotiate(deadline.sub(30))
            self._port = self._forwarded_port(deadline)
            if self._resuming is not None:
                self._load(self._resuming, deadline)
            self._qmp.execute("cont", deadline=deadline)
        except InfrastructureError as error:
            if error.cause == "qemu-exited":
                raise self._died("QEMU did not start") from None
            raise

    def _channel(self) -> tuple[socket.socket, socket.socket]:
        """A socket pair: our end, and QEMU's, which is closed here once QEMU has inherited it."""
        return socket.socketpair()

    def _descriptors(
        self,
        handed_over: ExitStack,
        channels: dict[str, tuple[socket.socket, socket.socket]],
        ignition: IgnitionConfig | None,
        files: firmware.FirmwareFiles | None,
    ) -> argv.Descriptors:
        spec = self._spec

        def keep(descriptor: int) -> int:
            handed_over.callback(os.close, descriptor)
            return descriptor

        config = None
        if ignition is not None:
            saved = ignition.redact().to_json(pretty=True)
            (self._directory / "ignition.json").write_text(saved)
            config = keep(os.memfd_create("ignition"))
            os.write(config, ignition.to_bytes(pad_to=self._pad_ignition))
        overlay = keep(self._overlay())
        extra = []
        for disk in spec.disks:
            if disk.size_gib is None:
                raise ConfigError("an additional disk needs a size", hint="write it as 10G")
            extra.append(argv.DiskFile(keep(disks.create_empty(disk.size_gib)), "raw", disk.options))
        return argv.Descriptors(
            qmp=channels["qmp"][1].fileno(),
            console=channels["console"][1].fileno(),
            journal=channels["journal"][1].fileno(),
            initramfs=channels["initramfs"][1].fileno(),
            primary=argv.DiskFile(overlay, "qcow2", spec.primary_disk),
            disks=tuple(extra),
            ignition=config,
            efi_variables=keep(firmware.private_variables(files)) if files else None,
        )

    def _memory(self) -> argv.MemoryFile | None:
        if self._freezing is not None:
            return argv.MemoryFile(self._freezing.memory, shared=True)
        if self._resuming is not None:
            return argv.MemoryFile(self._resuming.memory, shared=False)
        return None

    def _overlay(self) -> int:
        spec = self._spec
        if self._resuming is not None:
            return disks.create_overlay(self._resuming.disk, "qcow2")
        named = self._freezing.disk if self._freezing is not None else None
        return disks.create_overlay(spec.image, spec.image_format, spec.primary_size, named=named)

    def freeze(self, deadline: Deadline) -> None:
        """Stop the guest and write its device state; RAM and disk are in their files already."""
        if self._freezing is None:
            raise ValueError("this machine was not started to be frozen")
        self._qmp.execute("stop", deadline=deadline)
        with self._freezing.state.open("wb") as target:
            self._transfer("migrate", target.fileno(), deadline)

    def _load(self, frozen: Frozen, deadline: Deadline) -> None:
        """Take over what `freeze` wrote, and remember what had been logged."""
        with frozen.state.open("rb") as source:
            self._transfer("migrate-incoming", source.fileno(), deadline)
        for line in frozen.journal.read_bytes().splitlines():
            self._journal.preload_line(line)

    def _transfer(self, command: str, descriptor: int, deadline: Deadline) -> None:
        """Migrate to or from an open file; RAM that is shared with a file is left out (x-ignore-shared)."""
        capabilities = [{"capability": "x-ignore-shared", "state": True}]
        self._qmp.execute("migrate-set-capabilities", deadline=deadline, capabilities=capabilities)
        self._qmp.send_descriptor("state", descriptor, deadline=deadline)
        self._qmp.execute(command, deadline=deadline, uri="fd:state")

        def settled() -> str | None:
            status = str(self._qmp.execute("query-migrate", deadline=deadline).get("status", ""))
            return status if status in ("completed", "failed", "cancelled") else None

        outcome = deadline.poll(settled, step="moving the machine's state", interval=0.01)
        if outcome != "completed":
            raise InfrastructureError(
                f"QEMU could not move the machine's state: {outcome}", cause="no-resume"
            )

    def _forwarded_port(self, deadline: Deadline) -> int:
        table = self._qmp.hmp("info usernet", deadline=deadline)
        found = re.search(r"TCP\[HOST_FORWARD\]\s+\d+\s+127\.0\.0\.1\s+(\d+)\s+\S+\s+22\s", table)
        if found is None:
            raise InfrastructureError("QEMU names no forwarded SSH port", cause="no-ssh-port", evidence=table)
        return int(found[1])

    # What the streams bring

    def _on_console(self, data: bytes) -> None:
        if not data:
            for hit in self._console_scanner.close():
                self._report_hit(hit, "console")
            return
        self._console.append(data)
        for hit in self._console_scanner.feed(data):
            self._report_hit(hit, "console")

    def _scan_journal(self, text: str) -> None:
        for hit in self._journal_scanner.feed(text):
            self._report_hit(hit, "journal")

    def _report_hit(self, hit: Hit, source: str) -> None:
        slug = hit.pattern.slug
        self._incidents.report(
            Incident(
                name=slug,
                message=f"{hit.message}: {hit.text}" if hit.text not in hit.message else hit.message,
                source=f"{source} line {hit.line}",
                fatal=slug in _DEADLY,
                warn_only=hit.pattern.warn_only,
            )
        )

    def _on_event(self, event: str, data: dict[str, Any]) -> None:
        if event == "GUEST_PANICKED":
            self._incidents.report(
                Incident("kernel-panic", "the guest's kernel panicked", "QEMU", fatal=True)
            )
        elif event == "BLOCK_IO_ERROR" and data.get("nospace"):
            self._host_trouble(
                "host-disk-full", f"no space left for the guest's disk {data.get('node-name')}"
            )

    def _on_stream_error(self, error: Exception) -> None:
        full = isinstance(error, OSError) and error.errno == errno.ENOSPC
        cause = "host-disk-full" if full else "stream-failed"
        self._host_trouble(cause, f"cannot keep what the guest says in {self._directory}: {error}")

    def _host_trouble(self, cause: str, message: str) -> None:
        self._incidents.report(Incident(cause, message, "this host", fatal=True, infrastructure=True))

    def _on_qmp_end(self, data: bytes) -> None:
        if not data:
            self._qmp.feed_end()

    def _watch(self) -> None:
        """Tell waiters at once when QEMU ends that nobody asked to end."""
        while self._child.wait(3600) is None:
            continue
        if not self._closing:
            error = self._died("QEMU ended while its guest was needed")
            self._incidents.report(
                Incident("qemu-exited", error.message, "QEMU", fatal=True, infrastructure=True)
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
        self._qmp.execute("screendump", deadline=Deadline(10), filename=str(path.resolve()), format="png")

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

"""The guest that is not there: it boots by printing, remembers a few things, and dies as planned."""

from __future__ import annotations

import base64
import threading
import uuid
from collections.abc import Callable
from typing import Any

from fakeqemu import ignition
from fakeqemu.boot import BootRun
from fakeqemu.channels import Console, JournalPort
from fakeqemu.files import Files
from fakeqemu.forward import OPEN, REFUSING, SILENT, Forward
from fakeqemu.plan import Plan

OS_RELEASE = b'NAME="Fake Guest"\nID=fake\nVERSION_ID=1\n'


class Guest:
    """`on_event` takes QMP events, `end` ends the process with a status and a last word on stderr."""

    def __init__(
        self,
        plan: Plan,
        *,
        config: str | None,
        console: Console,
        journal: JournalPort,
        initramfs: JournalPort,
        on_event: Callable[[str, dict[str, object]], None],
        end: Callable[[int, str], None],
    ) -> None:
        self.plan = plan
        self.console = console
        self.journal = journal
        self.initramfs = initramfs
        self.on_event = on_event
        self.end = end
        self.keys, files = ignition.read(config)
        files = {"/etc/os-release": OS_RELEASE, "/etc/hostname": b"fake\n"} | files
        files |= {path: text.encode() for path, text in plan.files.items()}
        self.files = Files(files, full=plan.disk_full)
        self.units = {name: dict(properties) for name, properties in plan.units.items()}
        self.boot_id = str(uuid.uuid4())
        self.forward: Forward | None = None
        self.drop_connections: Callable[[], None] = lambda: None
        self.forget_connections: Callable[[], None] = lambda: None
        self.wait_for_sshd: Callable[[], None] = lambda: None
        self.signal: Callable[[str, str], None] = lambda port, line: None
        self.running = threading.Event()
        self.starved = threading.Event()
        self.network_up = threading.Event()
        self._boots = 0
        self._boot: BootRun | None = None
        self._lock = threading.Lock()

    def power_on(self) -> None:
        with self._lock:
            boot = self.plan.boot(self._boots)
            if self._boots and not boot.keep_boot_id:
                self.boot_id = str(uuid.uuid4())
            self._boots += 1
            self._boot = BootRun(self, boot)
        self._boot.start()

    def frozen(self) -> dict[str, Any]:
        """The state that a clone keeps."""
        files = {path: base64.b64encode(content).decode() for path, content in self.files.contents().items()}
        return {"boot_id": self.boot_id, "keys": self.keys, "files": files, "units": self.units}

    def thaw(self, state: dict[str, Any]) -> None:
        self.boot_id, self.keys, self.units = state["boot_id"], state["keys"], state["units"]
        contents = {path: base64.b64decode(text) for path, text in state["files"].items()}
        self.files = Files(contents, full=self.plan.disk_full)
        self._boots = 1

    def wake_up(self) -> None:
        """Go on where the state was taken: up, with sshd listening."""
        self.network(OPEN)

    def reset(self) -> None:
        """Off and on again, without a word to anybody."""
        if self._boot is not None:
            self._boot.stop()
        self.network(SILENT)
        self.forget_connections()
        self.on_event("RESET", {"guest": True, "reason": "guest-reset"})
        self.power_on()

    def reboot(self) -> None:
        """Orderly: services stop, and their connections end, before the reset."""
        self.network(REFUSING)
        self.drop_connections()
        self.reset()

    def shut_down(self) -> None:
        self.console.kernel("reboot: Power down")
        self.drop_connections()
        self.on_event("SHUTDOWN", {"guest": True, "reason": "guest-shutdown"})
        self.end(0, "")

    def network(self, state: str) -> None:
        if state == OPEN:
            self.network_up.set()
        else:
            self.network_up.clear()
        if self.forward is not None:
            self.forward.become(state)

    def log(self, message: str, *, identifier: str = "kernel", priority: int = 6) -> None:
        self.journal.entry(message, boot_id=self.boot_id, identifier=identifier, priority=priority)

    def panic(self) -> None:
        self.console.kernel("Kernel panic - not syncing: Attempted to kill init! exitcode=0x0000000b")
        self.console.kernel("---[ end Kernel panic - not syncing: Attempted to kill init! ]---")
        self.network(SILENT)

    def act(self, action: str) -> None:
        """Do what a plan's command triggers after its answer."""
        match action:
            case "panic":
                self.panic()
            case "exit":
                self.end(1, "qemu-system-x86_64: fake: the plan wants it to die now")
            case "drop":
                self.drop_connections()
            case "reset":
                self.reset()
            case "reboot":
                self.reboot()
            case "freeze":
                self.running.clear()
            case "poweroff":
                self.shut_down()
            case "sshd-stops":
                self.network(REFUSING)
                self.drop_connections()
            case "starve":
                self.starved.set()
            case "silence":
                self.network(SILENT)
                self.drop_connections()
            case "host-disk-full":
                self.on_event(
                    "BLOCK_IO_ERROR",
                    {
                        "device": "",
                        "node-name": "disk0",
                        "operation": "write",
                        "action": "stop",
                        "nospace": True,
                        "reason": "No space left on device",
                    },
                )
                self.on_event("STOP", {})

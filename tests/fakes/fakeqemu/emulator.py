"""Wires the guest to its serial lines, its network and the machine protocol."""

from __future__ import annotations

import os
import socket
import sys
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from fakeqemu.arguments import Arguments
from fakeqemu.channels import Channel, Console, JournalPort
from fakeqemu.forward import Forward
from fakeqemu.guest import Guest
from fakeqemu.plan import Plan
from fakeqemu.qmp import QmpServer, Refused, read_state, screendump, write_state
from fakeqemu.shell import Shell
from fakeqemu.terminal import converse

if TYPE_CHECKING:
    from fakeqemu.sshd import Sshd


def run(given: Arguments, plan: Plan) -> None:
    """Does not return; the process ends in `end`."""
    initramfs = next((fd for name, fd in given.ports.items() if name.endswith(".ignition.journal")), None)
    guest = Guest(
        plan,
        config=given.config,
        console=Console(given.console),
        journal=JournalPort(given.ports.get("mantlejournal")),
        initramfs=JournalPort(initramfs),
        on_event=lambda name, data: server.event(name, data),
        end=end,
    )
    ports = {name: Channel(fd) for name, fd in given.ports.items() if fd not in _streams(given, initramfs)}
    guest.signal = lambda port, line: ports[port].send(line.encode() + b"\n")
    network = _Network(guest)
    if given.guest_port is not None:
        guest.forward = Forward(given.guest_port, network.serve)
        guest.drop_connections = network.drop
        guest.forget_connections = network.forget
        guest.wait_for_sshd = network.wait
    power = _Power(guest)
    migration = _Migration(guest, power, lambda uri: server.take_descriptor(uri))
    server = QmpServer(Channel(given.qmp), plan.qmp, power.commands() | migration.commands())
    threading.Thread(target=converse, args=(guest.console, Shell(guest)), daemon=True).start()
    if not given.paused:
        power.resume({})
    server.serve()


def _streams(given: Arguments, initramfs: int | None) -> tuple[int | None, ...]:
    """The ports that carry more than signals."""
    return (given.ports.get("mantlejournal"), initramfs)


def end(status: int, last_word: str) -> None:
    if last_word:
        print(last_word, file=sys.stderr, flush=True)
    os._exit(status)


class _Power:
    """The power operations of QMP on the guest."""

    def __init__(self, guest: Guest) -> None:
        self._guest = guest
        self._started = False
        self._loaded = False

    def commands(self) -> dict[str, Any]:
        return {
            "qmp_capabilities": lambda words: None,
            "human-monitor-command": self._human,
            "cont": self.resume,
            "stop": self._stop,
            "query-status": lambda words: {"status": "running" if self._guest.running.is_set() else "paused"},
            "system_reset": lambda words: self._guest.reset(),
            "system_powerdown": lambda words: self._guest.shut_down(),
            "quit": lambda words: end(0, ""),
            "screendump": screendump,
            "netdev_add": lambda words: None,
            "device_add": lambda words: None,
        }

    def already_booted(self) -> None:
        """A state has been loaded: `cont` goes on where it was."""
        self._loaded = True

    def resume(self, words: dict[str, Any]) -> None:
        self._guest.running.set()
        self._guest.on_event("RESUME", {})
        if not self._started:
            self._started = True
            if self._loaded:
                self._guest.wake_up()
            else:
                self._guest.power_on()

    def _stop(self, words: dict[str, Any]) -> None:
        self._guest.running.clear()
        self._guest.on_event("STOP", {})

    def _human(self, words: dict[str, Any]) -> str:
        if words["command-line"] == "info usernet" and self._guest.forward is not None:
            return self._guest.forward.table()
        return ""


class _Migration:
    """Freezing and resuming: of a guest that is only remembered, the memories."""

    def __init__(self, guest: Guest, power: _Power, descriptor: Callable[[str], int]) -> None:
        self._guest = guest
        self._power = power
        self._descriptor = descriptor
        self._status = ""

    def commands(self) -> dict[str, Any]:
        return {
            "migrate-set-capabilities": lambda words: None,
            "migrate": self._save,
            "migrate-incoming": self._load,
            "query-migrate": lambda words: {"status": self._status} if self._status else {},
        }

    def _save(self, words: dict[str, Any]) -> None:
        if not self._guest.plan.freezes:
            raise Refused("State blocked by a device")
        write_state(self._descriptor(words["uri"]), self._guest.frozen())
        self._status = "completed"

    def _load(self, words: dict[str, Any]) -> None:
        self._guest.thaw(read_state(self._descriptor(words["uri"])))
        self._power.already_booted()
        self._status = "completed"


class _Network:
    """Loads sshd aside, while the harness is still talking to the monitor."""

    def __init__(self, guest: Guest) -> None:
        self._guest = guest
        self._sshd: Sshd | None = None
        self._loading = threading.Thread(target=self._load, daemon=True)
        self._loading.start()

    def _load(self) -> None:
        sys.modules["invoke"] = None  # type: ignore[assignment]  # optional to paramiko, and slow
        from fakeqemu.sshd import Sshd

        self._sshd = Sshd(self._guest)

    def wait(self) -> None:
        self._loading.join()

    def serve(self, connected: socket.socket) -> None:
        self.wait()
        if self._sshd is not None:
            self._sshd.serve(connected)

    def drop(self) -> None:
        if self._sshd is not None:
            self._sshd.drop_connections()

    def forget(self) -> None:
        if self._sshd is not None:
            self._sshd.forget_connections()

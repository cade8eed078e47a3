"""A boot of the fake guest: console lines, journal messages, and the point of failure."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from fakeqemu.forward import MUTE, OPEN, REFUSING
from fakeqemu.plan import Boot

if TYPE_CHECKING:
    from fakeqemu.guest import Guest

FIRMWARE = ("SeaBIOS (version fake)", "Booting from Hard Disk...")
KERNEL = (
    "Linux version 6.6.0-fake (stand-in@localhost)",
    "Command line: console=ttyS0 ostree=/ostree/boot.1/fake/0 ignition.platform.id=qemu",
    "systemd[1]: Detected virtualization qemu.",
)
TARGETS = ("Reached target Local File Systems.", "Started OpenSSH server daemon.")
EMERGENCY = (
    "You are in emergency mode. After logging in, type journalctl -xb to view system logs.",
    "Press Enter for emergency shell or wait 5 minutes for reboot.",
)
IGNITION_ERROR = "failed to fetch config: could not parse: unexpected end of JSON input"


class BootRun:
    def __init__(self, guest: Guest, boot: Boot) -> None:
        self._guest = guest
        self._boot = boot
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="boot", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopped.set()

    def _run(self) -> None:
        guest, fault = self._guest, self._boot.fault
        if fault == "silence":
            return
        for text in FIRMWARE:
            guest.console.line(text)
        for text in KERNEL:
            guest.console.kernel(text)
            guest.log(text)
        if fault == "initramfs":
            self._initramfs_failure()
            return
        if fault == "kernel-panic":
            guest.panic()
            return
        if fault == "emergency-shell":
            for text in EMERGENCY:
                guest.console.line(text)
            return
        if fault == "qemu-exit":
            guest.end(1, "qemu-system-x86_64: fake: the plan wants it to die at boot")
        for text in self._boot.console:
            self._say(text)
        for text in self._boot.journal:
            guest.log(text)
        if self._boot.then:
            guest.act(self._boot.then)
        if self._boot.then or fault == "stall":
            return
        if self._boot.delay and self._stopped.wait(self._boot.delay):
            return
        self._finish(fault)

    def _say(self, text: str) -> None:
        word, _, rest = text.partition(" ")
        if word == "port":
            self._guest.signal(*rest.split(" ", 1))
        elif word == "pause":
            self._stopped.wait(float(rest))
        else:
            self._guest.console.line(text)

    def _initramfs_failure(self) -> None:
        guest = self._guest
        guest.console.kernel("systemd[1]: Reached target Emergency Mode.")
        port = guest.initramfs
        port.entry("Ignition 2.20.0", boot_id=guest.boot_id, identifier="ignition")
        port.entry(IGNITION_ERROR, boot_id=guest.boot_id, identifier="ignition", priority=2)
        port.send(b"{}\n")

    def _finish(self, fault: str) -> None:
        guest = self._guest
        guest.wait_for_sshd()
        for text in TARGETS:
            guest.console.line(f"[\x1b[0;32m  OK  \x1b[0m] {text}")
        if fault == "sshd-refuses":
            guest.network(REFUSING)
        elif fault == "sshd-mute":
            guest.network(MUTE)
        elif fault != "no-dhcp":
            guest.network(OPEN)
        if fault != "no-dhcp":
            lease = "<info>  dhcp4 (eth0): state changed new lease, address=10.0.2.15"
            guest.log(lease, identifier="NetworkManager")
        guest.log("Startup finished in 1.2s (kernel) + 3.4s (userspace) = 4.6s.", identifier="systemd")
        guest.console.send(b"\r\nfake login: ")

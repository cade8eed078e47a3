"""What a machine's streams give away: signs of trouble, as incidents for those who wait."""

from __future__ import annotations

import errno
import re
from typing import Any

from harness.machine.badness import Hit, Scanner
from harness.machine.incidents import Incident, Incidents
from harness.machine.streams import LineSplitter, Tail

# Signs after which the guest will never answer again; everything else is judged by the health check.
_DEADLY = frozenset({"emergency-shell", "dracut-fatal", "kernel-panic"})

# What logind says when the system goes down now (systemd: src/login/logind-dbus.c), seconds before it does.
_LEAVING = re.compile(
    r" systemd-logind\[\d+\]: ((?:The system will (?:reboot|power off|halt) now"
    r"|System is (?:rebooting|powering down|halting))[^\n]*)"
)

# A panic for want of CPU time on this host, not the guest's fault (Linux: apic/io_apic.c).
_STARVED = "IO-APIC + timer doesn't work"

# What OVMF says on the serial console (edk2: MdeModulePkg/Universal/BdsDxe).
_REFUSED = re.compile(rb"BdsDxe: failed to (?:load|start) .*: (Access Denied|Security Violation)")
_NO_DEVICE = re.compile(
    rb'BdsDxe: (?:No bootable option or device was found|starting Boot\d+ "EFI Internal Shell")'
)


class Watch:
    """Judges one machine's console, journal and QEMU's events. Called in the stream's thread."""

    def __init__(self, incidents: Incidents, console: Tail) -> None:
        self._incidents = incidents
        self._console = console
        self._console_scanner = Scanner()
        self._journal_scanner = Scanner()
        self._firmware: LineSplitter | None = LineSplitter(self._firmware_line)

    def console(self, data: bytes) -> None:
        """A reader of the serial console."""
        if not data:
            for hit in self._console_scanner.close():
                self._report(hit, "console")
            return
        self._console.append(data)
        for hit in self._console_scanner.feed(data):
            self._report(hit, "console")
        if self._firmware is not None:
            self._firmware(data)
            if b"Linux version " in data:
                self._firmware = None  # its part is over

    def journal(self, text: str) -> None:
        """Lines of the guest's journal."""
        leaving = _LEAVING.search(text)
        if leaving is not None:
            self._incidents.depart(leaving[1], "systemd-logind")
        for hit in self._journal_scanner.feed(text):
            self._report(hit, "journal")

    def event(self, event: str, data: dict[str, Any]) -> None:
        """An event of QEMU's."""
        if event == "GUEST_PANICKED":
            self._fatal("kernel-panic", "the guest's kernel panicked", "QEMU")
        elif event == "RESET":
            self._incidents.depart("a reset", "QEMU")
        elif event == "BLOCK_IO_ERROR" and data.get("nospace"):
            self.host("host-disk-full", f"no space left for the guest's disk {data.get('node-name')}")

    def stream_error(self, error: Exception, kept_in: object) -> None:
        """A reader failed: what the guest says can no longer be kept."""
        full = isinstance(error, OSError) and error.errno == errno.ENOSPC
        cause = "host-disk-full" if full else "stream-failed"
        self.host(cause, f"cannot keep what the guest says in {kept_in}: {error}")

    def host(self, cause: str, message: str, source: str = "this host") -> None:
        """Something on this side ended the machine."""
        self._incidents.report(Incident(cause, message, source, fatal=True, infrastructure=True))

    def _firmware_line(self, line: bytes) -> None:
        refused = _REFUSED.search(line)
        if refused is not None:
            why = refused[1].decode()
            message = (
                f"the firmware refuses to start the boot loader, whose signature it does not know: {why}"
            )
            self._fatal("secure-boot-refused", message, "console")
        elif _NO_DEVICE.search(line):
            self._fatal("no-boot-device", "the firmware found nothing to boot from", "console")

    def _fatal(self, name: str, message: str, source: str) -> None:
        self._incidents.report(Incident(name, message, source, fatal=True))

    def _report(self, hit: Hit, source: str) -> None:
        slug = hit.pattern.slug
        if _STARVED in hit.text:
            self.host(
                "host-too-busy",
                "this host was too busy to run the guest's timer, and the guest's kernel gave up",
            )
            return
        self._incidents.report(
            Incident(
                name=slug,
                message=f"{hit.message}: {hit.text}" if hit.text not in hit.message else hit.message,
                source=f"{source} line {hit.line}",
                fatal=slug in _DEADLY,
                warn_only=hit.pattern.warn_only,
            )
        )

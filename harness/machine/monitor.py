"""Monitoring of a machine's console and journal: signs of trouble become incidents."""

from __future__ import annotations

import errno
import re

from harness.machine.badness import Hit, Scanner
from harness.machine.incidents import Incident, Incidents
from harness.machine.streams import LineSplitter, Tail

# Signs after which the guest will never answer again. The health check judges all others.
_DEADLY = frozenset({"emergency-shell", "dracut-fatal", "kernel-panic"})

# logind's messages that the system is going down (systemd: src/login/logind-dbus.c), seconds before it does.
_LEAVING = re.compile(
    r" systemd-logind\[\d+\]: ((?:The system will (?:reboot|power off|halt) now"
    r"|System is (?:rebooting|powering down|halting))[^\n]*)"
)

# systemd's message in the journal of the real root. On a console it may come from the initramfs, whose own
# channel then gives the cause (harness.machine.initramfs).
_EMERGENCY = re.compile(r" systemd\[1\]: (Reached target (?:\S+ - )?(?:Emergency|Rescue) Mode)")

# A panic for lack of CPU time on this host, not the guest's fault (Linux: apic/io_apic.c).
_STARVED = "IO-APIC + timer doesn't work"

# OVMF's messages on the serial console (edk2: MdeModulePkg/Universal/BdsDxe).
_REFUSED = re.compile(rb"BdsDxe: failed to (?:load|start) .*: (Access Denied|Security Violation)")
_NO_DEVICE = re.compile(
    rb'BdsDxe: (?:No bootable option or device was found|starting Boot\d+ "EFI Internal Shell")'
)


class StreamMonitor:
    """The judge of one machine's console and journal. Called in the stream's thread."""

    def __init__(self, incidents: Incidents, console: Tail) -> None:
        self._incidents = incidents
        self._console = console
        self._console_scanner = Scanner()
        self._journal_scanner = Scanner()
        self._firmware: LineSplitter | None = LineSplitter(self._firmware_line)

    def console(self, data: bytes) -> None:
        """Judge a chunk of the serial console."""
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
                self._firmware = None  # the firmware has handed over

    def journal(self, text: str) -> None:
        """Judge lines of the guest's journal."""
        leaving = _LEAVING.search(text)
        if leaving is not None:
            self._incidents.depart(leaving[1], "systemd-logind")
        emergency = _EMERGENCY.search(text)
        if emergency is not None:
            self.fatal("emergency-shell", f"emergency shell: {emergency[1]}", "journal")
        for hit in self._journal_scanner.feed(text):
            self._report(hit, "journal")

    def stream_error(self, error: Exception, kept_in: object) -> None:
        """Report a failed reader: the guest's output can no longer be kept."""
        full = isinstance(error, OSError) and error.errno == errno.ENOSPC
        cause = "host-disk-full" if full else "stream-failed"
        self.host(cause, f"cannot keep what the guest says in {kept_in}: {error}")

    def firmware_starts(self) -> None:
        """Record a reset: the console shows the firmware's messages again."""
        self._firmware = LineSplitter(self._firmware_line)

    def fatal(self, cause: str, message: str, source: str) -> None:
        """Report an incident after which the guest will never answer again."""
        self._incidents.report(Incident(cause, message, source, fatal=True))

    def host(self, cause: str, message: str, source: str = "this host") -> None:
        """Report an incident on this host that ended the machine."""
        self._incidents.report(Incident(cause, message, source, fatal=True, infrastructure=True))

    def _firmware_line(self, line: bytes) -> None:
        refused = _REFUSED.search(line)
        if refused is not None:
            why = refused[1].decode()
            message = (
                f"the firmware refuses to start the boot loader, whose signature it does not know: {why}"
            )
            self.fatal("secure-boot-refused", message, "console")
        elif _NO_DEVICE.search(line):
            self.fatal("no-boot-device", "the firmware found nothing to boot from", "console")

    def _report(self, hit: Hit, source: str) -> None:
        cause = hit.pattern.cause
        if _STARVED in hit.text:
            self.host(
                "host-too-busy",
                "this host was too busy to run the guest's timer, and the guest's kernel gave up",
            )
            return
        self._incidents.report(
            Incident(
                cause=cause,
                message=f"{hit.message}: {hit.text}" if hit.text not in hit.message else hit.message,
                source=f"{source} line {hit.line}",
                fatal=cause in _DEADLY,
                warn_only=hit.pattern.warn_only,
            )
        )

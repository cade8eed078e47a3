"""The boot menu on the serial console, operated as a person would."""

from __future__ import annotations

import contextlib
import re

from harness.machine.machine import Machine
from harness.machine.ssh import ConnectionLost

_MENU = r"GNU GRUB|Use the \S+ and \S+ keys"
_KERNEL = r"Linux version \d"
_DOWN = "\x1b[B"


def reboot_into(machine: Machine, entry: int) -> None:
    """Reboot, choose the entry (0 is the default) in the menu, and wait until that system is up and
    healthy.
    """
    with machine.new_boot():
        machine.console.discard()
        with contextlib.suppress(ConnectionLost):
            machine.run("systemctl reboot", sudo=True, timeout=30)
        shown = machine.console.expect(f"{_MENU}|{_KERNEL}", timeout=120)
        assert not re.match(_KERNEL, shown[0]), "the system showed no boot menu: is there one entry only?"
        # The first key stops the countdown; the menu has drawn itself by the time it is read.
        for _ in range(entry):
            machine.console.send(_DOWN)
        machine.console.send_line()

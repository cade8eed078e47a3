"""What several tests see of one reboot: each leaves a trace before it, and looks for the trace afterwards."""

from __future__ import annotations

import pytest

from harness.ignition.additions import HOST_KEY
from harness.machine.machine import Machine

FROM_IGNITION = f"{HOST_KEY}.pub"
"""A file every machine has from its config, and nobody else would write."""

BEFORE = "/var/kola-before-the-reboot"
"""Says what was really done before the reboot: `removed`, `unlocked`."""

UNLOCKED = "/usr/share/kola-unlocked"
LOGGED = "before the reboot"


def rebooted(machine: Machine) -> None:
    """A file of the config removed, a line logged, /usr unlocked and written to; then a reboot."""
    # Nothing of this is checked here: whose trace is missing fails, and no other test.
    machine.run(f"rm {FROM_IGNITION} && echo removed >> {BEFORE}", sudo=True)
    machine.run(f"logger -t kola-test '{LOGGED}'; journalctl --sync", sudo=True)
    machine.run(f"ostree admin unlock && echo > {UNLOCKED} && echo unlocked >> {BEFORE}", sudo=True)
    machine.reboot()


def written_and_rebooted(machine: Machine) -> None:
    """A file `second` written into every directory below /var that is called `kola-…`; then a reboot."""
    machine.run("for path in /var/kola-*/; do echo by the test > $path/second; done", sudo=True).check()
    machine.reboot()


BOTH_BOOTS = pytest.mark.parametrize(
    "written",
    [
        pytest.param(False, id="first-boot"),
        pytest.param(True, id="second-boot", marks=pytest.mark.machine(prepare=written_and_rebooted)),
    ],
)
"""For tests of what Ignition made: once as it is, once with files `written`, and rebooted."""

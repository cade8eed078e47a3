"""A reboot shared by several tests: each leaves a trace before it and looks for the trace afterwards."""

from __future__ import annotations

import pytest

from harness.ignition.additions import HOST_KEY
from harness.machine.machine import Machine

FROM_IGNITION = f"{HOST_KEY}.pub"
"""A file that every machine's config writes, and nothing else."""

BEFORE = "/var/kola-before-the-reboot"
"""File with the changes actually made before the reboot: `removed`, `unlocked`."""

UNLOCKED = "/usr/share/kola-unlocked"
LOGGED = "before the reboot"


def rebooted(machine: Machine) -> None:
    """Remove a file of the config, log a line, unlock /usr and write to it, then reboot."""
    # Errors are not checked here: the test that misses the result fails, and no other.
    machine.run(f"rm {FROM_IGNITION} && echo removed >> {BEFORE}", sudo=True)
    machine.run(f"logger -t kola-test '{LOGGED}'; journalctl --sync", sudo=True)
    machine.run(f"ostree admin unlock && echo > {UNLOCKED} && echo unlocked >> {BEFORE}", sudo=True)
    machine.reboot()


def written_and_rebooted(machine: Machine) -> None:
    """Write a file `second` into every directory below /var that is called `kola-…`, then reboot."""
    machine.run("for path in /var/kola-*/; do echo by the test > $path/second; done", sudo=True).check()
    machine.reboot()


BOTH_BOOTS = pytest.mark.parametrize(
    "written",
    [
        pytest.param(False, id="first-boot"),
        pytest.param(True, id="second-boot", marks=pytest.mark.machine(prepare=written_and_rebooted)),
    ],
)
"""Parameters for tests of Ignition's results: at the first boot, and with files `written` and rebooted."""

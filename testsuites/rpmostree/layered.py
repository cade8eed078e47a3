"""One reboot for what is layered and for kernel arguments: both are of the next boot."""

from __future__ import annotations

import tempfile
from pathlib import Path

from harness.machine.machine import Machine
from testsuites.rpm_ostree import deployments, only_repository
from testsuites.rpmostree.packages import PROBE

INSTALLED = "/var/lib/kola-install"
"""What `rpm-ostree install` said."""

STAGED = "/var/lib/kola-staged"
"""The commit that was to be booted before kernel arguments were changed."""

BEFORE = "/var/lib/kola-before"
"""What the system was like before the reboot: its kernel arguments, and `changed` if it had the package."""

ARGUMENTS = ("kola.one=1", "kola.two")


def layered(machine: Machine) -> None:
    """A package installed, kernel arguments appended; then a reboot."""
    # Nothing of this is checked here: whose trace is missing fails, and no other test.
    only_repository(machine, "")
    with tempfile.TemporaryDirectory() as directory:
        machine.put(PROBE.build(Path(directory)), "/var/tmp/probe.rpm")
    install = "rpm-ostree install --cache-only /var/tmp/probe.rpm"
    machine.run(f"{install} > {INSTALLED} 2>&1", sudo=True, timeout=300)
    machine.file(STAGED).write(deployments(machine)[0].checksum)
    one, two = ARGUMENTS
    machine.run(f"rpm-ostree kargs --append={one} --append-if-missing={two}", sudo=True, timeout=300)
    machine.run(
        f"cat /proc/cmdline > {BEFORE}; ! test -e /usr/bin/kola-probe || echo changed >> {BEFORE}", sudo=True
    )
    machine.reboot()

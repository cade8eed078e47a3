"""A reboot shared by layered packages and kernel arguments; both take effect at the next boot."""

from __future__ import annotations

import tempfile
from pathlib import Path

from harness.machine.machine import Machine
from testsuites.rpm_ostree import deployments, only_repository
from testsuites.rpmostree.packages import PROBE

INSTALLED = "/var/lib/kola-install"
"""File with the output of `rpm-ostree install`."""

STAGED = "/var/lib/kola-staged"
"""File with the commit that was to be booted before kernel arguments were changed."""

BEFORE = "/var/lib/kola-before"
"""File with the state before the reboot: kernel arguments, and `changed` if the package was there."""

ARGUMENTS = ("kola.one=1", "kola.two")


def layered(machine: Machine) -> None:
    """Install a package and append kernel arguments, then reboot."""
    # Errors are not checked here: the test that misses the result fails, and no other.
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

"""Preparations for audits of later boots: a reboot, and an upgrade."""

from __future__ import annotations

import tempfile
from pathlib import Path

from harness.machine.machine import Machine
from testsuites.rpm_ostree import commit_new_version
from testsuites.rpmostree.packages import PROBE

VERSION = "kola-audit-1.0"
BEFORE = "/var/lib/kola-audit"
"""Directory with the state before the upgrade: boot entries, kernel arguments, remotes."""

ADDED, CHANGED, REMOVED = "/etc/kola-audit-added", "/etc/host.conf", "/etc/issue.net"
"""Files of /etc that the upgrade must keep added, changed or removed; the last two are the build's."""
LINK = "/etc/kola-audit-link"
ADDED_TEXT, CHANGED_TEXT = "added by kola", "# changed by kola"
LEVELS = ("emerg", "alert", "crit", "err", "warning", "notice", "info", "debug")


IDENTITY = "/var/lib/kola-identity"
CLOCK = "/var/lib/kola-clock"
WHO = (
    "sed 's/^/machine ID /' /etc/machine-id; hostname | sed 's/^/host name /'; sha256sum /etc/ssh/ssh_host_*"
)


UPTIME = 200.0
"""Uptime in seconds after which a unit that fails two minutes after the boot has failed."""


def aged(machine: Machine) -> None:
    """Wait until the machine has been up for three minutes."""

    def old_enough() -> bool:
        return float(machine.run("cat /proc/uptime").check().stdout.split()[0]) > UPTIME

    machine.poll(old_enough, timeout=UPTIME, step="waiting for three minutes of uptime", interval=10)


def rebooted(machine: Machine) -> None:
    """Log a line at every level, then reboot."""
    script = "; ".join(f"logger -t kola-audit -p user.{level} kola-{level}" for level in LEVELS)
    machine.run(f"{script}; journalctl --sync; ({WHO}) > {IDENTITY}; date +%s > {CLOCK}", sudo=True)
    machine.reboot()


def upgraded(machine: Machine) -> None:
    """Add, change and remove files of /etc; layer a package; commit a new version, rebase to it, boot it."""
    # Errors are not checked here: the test that misses the result fails, and no other.
    machine.run(
        f"mkdir -p {BEFORE}; cat /proc/cmdline > {BEFORE}/cmdline; "
        f"cat /etc/ostree/remotes.d/* /ostree/repo/config > {BEFORE}/remotes; "
        f"cat /boot/loader/entries/*.conf > {BEFORE}/entries; "
        f"echo '{ADDED_TEXT}' > {ADDED}; chmod 640 {ADDED}; chgrp adm {ADDED}; "
        f"ln -s host.conf {LINK}; echo '{CHANGED_TEXT}' >> {CHANGED}; rm -f {REMOVED}",
        sudo=True,
    )
    with tempfile.TemporaryDirectory() as directory:
        machine.put(PROBE.build(Path(directory)), "/var/tmp/kola-probe.rpm")
    machine.run("rpm-ostree install --cache-only /var/tmp/kola-probe.rpm", sudo=True, timeout=300)
    commit_new_version(machine, VERSION)
    machine.run("rpm-ostree rebase :local-branch", sudo=True, timeout=300).check()
    machine.reboot()

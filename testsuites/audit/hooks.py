"""Rules for hooks: what cron, a directory of hooks, a generator or the kernel runs without a unit."""

from __future__ import annotations

import re

from testsuites.audit.etc import changed_lines
from testsuites.audit.finding import Finding
from testsuites.audit.record import Record

_JOBS = ("/etc/cron", "/var/spool/cron/", "/var/spool/at/", "/etc/anacrontab", "/etc/rc.local")
_HOOKS = (
    "/etc/NetworkManager/dispatcher.d/",
    "/etc/udev/rules.d/",
    "/etc/init.d/",
    "/etc/rc.d/",
    "/etc/profile.d/",
    "/etc/kernel/install.d/",
    "/etc/dhcp/",
    "/etc/networkd-dispatcher/",
    "/etc/xdg/autostart/",
    "/etc/dbus-1/",
    "/etc/modprobe.d/",
    "/etc/modules-load.d/",
    "/etc/tmpfiles.d/",
    "/etc/sysusers.d/",
    "/etc/binfmt.d/",
    "/etc/logrotate.d/",
    "/etc/update-motd.d/",
    "/etc/request-key.d/",
    "/run/udev/rules.d/",
    "/run/modprobe.d/",
    "/run/tmpfiles.d/",
    "/run/sysctl.d/",
    "/run/dbus-1/",
    "/run/binfmt.d/",
    "/run/modules-load.d/",
    "/run/sysusers.d/",
    "/var/usrlocal/share/dbus-1/",
    "/var/usrlocal/lib/binfmt.d/",
    "/var/usrlocal/lib/modprobe.d/",
    "/var/usrlocal/lib/sysusers.d/",
    "/var/usrlocal/lib/udev/",
    "/var/usrlocal/lib/modules-load.d/",
    "/var/usrlocal/lib/tmpfiles.d/",
    "/var/usrlocal/lib/sysctl.d/",
)
"""Directories whose files root, or whoever logs in, runs without a unit."""
_STATIC_NODES = "/run/tmpfiles.d/static-nodes.conf"
"""The file that kmod-static-nodes.service writes at every boot."""
_GENERATOR = re.compile(r"/systemd/((system|user)(-environment)?-generators|system-(shutdown|sleep))/")


def planted_jobs(record: Record) -> list[Finding]:
    """Cron jobs, hooks, systemd generators and handlers of binaries that are not the build's."""
    shipped = {path.removeprefix("/usr") for path in record.all_files if path.startswith("/usr/etc/")}
    found = []
    for file in record.files:
        if file.kind not in "fl" or file.path in shipped or file.path.startswith("/usr/lib/"):
            continue
        if file.path.startswith(_JOBS) and file.name != ".placeholder":
            found.append(Finding("nothing runs by cron", file.path, "is a job that the build does not have"))
        if file.path.startswith(_HOOKS) and file.path != _STATIC_NODES:
            says = f"is a hook that the build does not have{changed_lines(record, file.path)}"
            found.append(Finding("nothing runs by a hook", file.path, says))
        if _GENERATOR.search(file.path) and not file.path.startswith("/usr/etc/"):
            found.append(
                Finding("generators are the build's", file.path, "is run by systemd, and is not below /usr")
            )
    for name, says in sorted(record.binary_handlers.items()):
        found.append(Finding("nothing runs by a hook", f"binfmt_misc {name}", f"hands binaries on: {says}"))
    return found

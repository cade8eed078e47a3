"""The unit that streams a guest's journal to the host through a virtio-serial port."""

from __future__ import annotations

import re

from harness.errors import ConfigError
from harness.util.systemd import unit_of_path

# The fields that harness/machine/journal.py reads. Dozens of others would cost guest time at every line.
_FIELDS = "MESSAGE,PRIORITY,SYSLOG_IDENTIFIER,SYSLOG_PID,UNIT,_COMM,_PID,_SYSTEMD_UNIT"

_PORT_NAME = re.compile(r"[A-Za-z0-9._-]+")


def stream_unit(port: str) -> tuple[str, str]:
    """Return name and contents of the unit. Raises ConfigError for a port name that udev could not link."""
    if not _PORT_NAME.fullmatch(port):
        raise ConfigError(f"{port!r} is not a name for a virtio-serial port")
    name = f"kola-journal-{port}.service"
    return name, _unit(port)


def _unit(port: str) -> str:
    device = f"/dev/virtio-ports/{port}"
    # Two triggers, because either alone misses cases: udev starts the unit when it finds the port,
    # sysinit.target when the initramfs had found it already. No BindsTo: that would wait 90 s for an absent
    # port.
    return f"""[Unit]
Description=Journal to the virtio-serial port {port}
DefaultDependencies=no
IgnoreOnIsolate=yes
ConditionPathExists={device}
After=systemd-journald.service
Before=sysinit.target shutdown.target
Conflicts=shutdown.target

[Service]
Type=simple
StandardOutput=file:{device}
StandardError=journal
ExecStart=-/bin/sh -c '{_script(port)}'
SuccessExitStatus=SIGTERM SIGKILL SIGPIPE
TimeoutStopSec=5s
Restart=no

[Install]
WantedBy=sysinit.target {unit_of_path(device, "device")}
"""


def _script(port: str) -> str:
    # A follower opened before the journal moves to /var, which may not even be mounted yet, never sees it
    # move. So short readers pass a cursor on until it has moved (or dbus is up: a volatile journal never
    # moves), and only then one follows. The shell also serves SELinux: journalctl alone may not write to the
    # port.
    cursor = f"/run/kola-journal-{port}.cursor"
    output = f"--output=json --output-fields={_FIELDS}"
    read = f"journalctl --quiet --all --boot --no-tail {output} --cursor-file={cursor}"
    moved = "[ -e /run/systemd/journal/flushed ] || [ -S /run/dbus/system_bus_socket ]"
    return f"until {moved}; do {read}; sleep 1; done; exec {read} --follow"

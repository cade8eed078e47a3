"""The unit that streams a guest's journal to the host through a virtio-serial port."""

from __future__ import annotations

import re
from typing import Literal

from harness.errors import ConfigError

JournalFormat = Literal["json", "export"]

# What harness/machine/journal.py reads of an entry; the other dozens would cost a guest time at every line.
_FIELDS = "MESSAGE,PRIORITY,SYSLOG_IDENTIFIER,SYSLOG_PID,UNIT,_COMM,_PID,_SYSTEMD_UNIT"

_PORT_NAME = re.compile(r"[A-Za-z0-9._-]+")


def stream_unit(port: str, format: JournalFormat) -> tuple[str, str]:
    """Return name and contents of the unit; raise ConfigError for a port name udev could not link."""
    if not _PORT_NAME.fullmatch(port):
        raise ConfigError(f"{port!r} is not a name for a virtio-serial port")
    if format not in ("json", "export"):
        raise ConfigError(f"the journal can be streamed as json or export, not as {format!r}")
    name = f"kola-journal-{port}.service"
    return name, _unit(port, format)


def _unit(port: str, format: JournalFormat) -> str:
    device = f"/dev/virtio-ports/{port}"
    # Two ways in, because either alone misses cases: udev starts us when it finds the port, sysinit.target
    # when the initramfs had found it already. No BindsTo: that would wait 90 s for a port that is not there.
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
ExecStart=-/bin/sh -c '{_script(port, format)}'
SuccessExitStatus=SIGTERM SIGKILL SIGPIPE
TimeoutStopSec=5s
Restart=no

[Install]
WantedBy=sysinit.target dev-virtio\\x2dports-{_escape(port)}.device
"""


def _script(port: str, format: JournalFormat) -> str:
    # A follower opened before the journal moves to /var, which may not even be mounted yet, never sees it
    # move. So short readers hand a cursor on until it has (or dbus is up: a volatile journal never moves),
    # and only then one follows. The shell also serves SELinux: journalctl alone may not write to the port.
    cursor = f"/run/kola-journal-{port}.cursor"
    output = f"--output={format} --output-fields={_FIELDS}"
    read = f"journalctl --quiet --all --boot --no-tail {output} --cursor-file={cursor}"
    moved = "[ -e /run/systemd/journal/flushed ] || [ -S /run/dbus/system_bus_socket ]"
    return f"until {moved}; do {read}; sleep 1; done; exec {read} --follow"


def _escape(text: str) -> str:
    """As systemd-escape does for one path component."""
    return "".join(
        character if re.fullmatch(r"[A-Za-z0-9:_.]", character) else f"\\x{ord(character):02x}"
        for character in text
    )

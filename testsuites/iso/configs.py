"""Ignition configs of live and installed systems: progress signals of a scenario, and checks."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

from harness.artifact.distro import COMPLETION_PORT, LIVE_TEST_MESSAGE, Distro
from harness.ignition import IgnitionConfig
from harness.ignition.additions import GuestFile, kola_files, unit

CHECK_FAILED = "check-failed:"
"""First word of a line on the completion port that names the failed check of the guest."""

PORT = f"/dev/virtio-ports/{COMPLETION_PORT}"
_DEVICE = rf"dev-virtio\x2dports-{COMPLETION_PORT}.device"
_CHECKS = "/usr/local/bin/kola-installed-checks"
_LIVE_CHECKS = "/usr/local/bin/kola-live-checks"


def live_signal(distro: Distro, checks: Iterable[str] = ()) -> IgnitionConfig:
    """Say `live-test-OK` before the installer starts, or when a live system that installs nothing is up.

    Shell `checks` come before; when one does not hold, the line says which.
    """
    program = distro.installer.program
    script = _script(("test -e /run/ostree-live", *checks), LIVE_TEST_MESSAGE)
    contents = f"""[Unit]
Description=Say that the live system is up
Requires={_DEVICE}
After={_DEVICE}
Before={program}.service
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/bin/bash {_LIVE_CHECKS}
[Install]
RequiredBy={program}.target
RequiredBy=multi-user.target
"""
    return kola_files([GuestFile(path=_LIVE_CHECKS, content=script, mode=0o755)]).merge(
        unit("kola-live-signal.service", contents, enabled=True)
    )


def emergency_signal(message: str) -> IgnitionConfig:
    """Say `message` when the system enters its emergency target."""
    contents = f"""[Unit]
Description=Say that the system has entered its emergency target
DefaultDependencies=no
Before=emergency.service
[Service]
Type=oneshot
ExecStart=/bin/sh -c 'echo {message} >{PORT}'
[Install]
RequiredBy=emergency.target
"""
    return unit("kola-emergency-signal.service", contents, enabled=True)


def installed_signal(distro: Distro, checks: Iterable[str] = ()) -> IgnitionConfig:
    """Run shell `checks` in the installed system; when all hold, say so, else say which one does not."""
    script = _script((*INSTALLED, *_promised(distro), *checks), distro.installer.success_message)
    contents = f"""[Unit]
Description=Check the installed system and say that it is up
Requires={_DEVICE}
After={_DEVICE} ignition-firstboot-complete.service systemd-user-sessions.service
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/bin/bash {_CHECKS}
[Install]
RequiredBy=multi-user.target
"""
    return kola_files([GuestFile(path=_CHECKS, content=script, mode=0o755)]).merge(
        unit("kola-installed-signal.service", contents, enabled=True)
    )


def _promised(distro: Distro) -> list[str]:
    """Shell checks of the promises of the suite `defaults` that an installation could break."""
    docker = [] if distro.docker_enabled else ["! systemctl -q is-enabled docker.service"]
    return [
        *docker,
        "! systemctl -q is-active docker.service",
        '/usr/sbin/sshd -T | grep -qx "passwordauthentication no"',
        *(f"grep -qw -- {argument} /proc/cmdline" for argument in distro.extra_kargs),
    ]


INSTALLED = (
    "test ! -e /run/ostree-live",
    "test ! -e /boot/ignition",
    "test ! -e /boot/ignition.firstboot",
)
"""Checks that hold for every installed system after its first boot."""


def installer_options(**options: Any) -> str:
    """A config file of the installer: YAML, of which JSON is a part. Options that are None are left out."""
    return json.dumps({name.replace("_", "-"): value for name, value in options.items() if value is not None})


def installer_file(distro: Distro, name: str, options: str) -> IgnitionConfig:
    """Have the live system install by itself, by this config file."""
    return kola_files([GuestFile(path=f"{distro.installer.config_dir}/{name}", content=options)])


def merged(parts: Sequence[IgnitionConfig]) -> bytes:
    """The bytes of all of them as one config."""
    return IgnitionConfig.empty().merge(*parts).to_bytes()


def _script(checks: Iterable[str], success: str) -> str:
    """Bash that says on the completion port `success`, or which check does not hold."""
    lines = "".join(f"check {_quoted(line)}\n" for line in checks)
    return f"""#!/bin/bash
check() {{
    said=$(bash -c "$1" 2>&1) && return
    echo "{CHECK_FAILED} $1: $said" | tr '\\n' ' ' >{PORT}
    echo >{PORT}
    exit 1
}}
{lines}echo {success} >{PORT}
"""


def _quoted(line: str) -> str:
    return "'" + line.replace("'", "'\\''") + "'"

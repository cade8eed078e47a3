"""Flags of the Go kola that this one does not have, each with what to use instead."""

from __future__ import annotations

_LOGS = "every run keeps all logs in its output directory; -v shows more"
_GIVEN = "the flags -i and -B give the config to the machine by fw_cfg, without a change of its disk"

INSTEAD = {
    "--basename": "kola names its machines itself",
    "--console-to-file": "the console is always logged; kola ps --json names the directory",
    "--debug": _LOGS,
    "-d": _LOGS,
    "--ignition-direct": _GIVEN,
    "--inject-ignition": _GIVEN,
    "--keys": "name each public key with --key FILE",
    "--log-level": _LOGS,
    "--oscontainer": "test the image as a build, or rebase in a test as container.rebase does",
    "--propagate-initramfs-failure": "kola run reports a failure of the initramfs",
    "--qemu-drive-opts": "kola run and kola qemuexec hand further arguments to QEMU",
    "--qemu-iso-as-disk": "kola testiso 'iso-as-disk.*', and kola spawn --qemu-iso-as-disk",
    "--qemu-nbd-socket": "name the disk image with --qemu-image",
    "--qemu-options": "use --memory, --disk and the like; kola qemuexec hands arguments after -- to QEMU",
    "--usernet-addr": "machines have QEMU's own addresses, 10.0.2.0/24",
}

"""Console output of an installation, as lines that each belong to the stage they begin."""

from __future__ import annotations

FIRMWARE = "SeaBIOS (version 1.16.2-debian-1.16.2-1)"
MENU = "ISOLINUX 6.04 EDD 20200816 Copyright (C) 1994-2015 H. Peter Anvin et al"
KERNEL = "[    0.000000] Linux version 6.1.0-18-cloud-amd64 (debian-kernel@lists.debian.org)"
LIVE_COMMAND_LINE = "[    0.000000] Command line: nestos.liveiso=nestos-1 ignition.firstboot console=ttyS0"
INITRAMFS = "[    2.345678] Run /init as init process"
SWITCH_ROOT = "[   10.000000] systemd[1]: Switching root."
LIVE_SIGNAL = "live-test-OK"
INSTALLING = "Installing NestOS x86_64 (512-byte sectors)"
PROGRESS = "> Read disk 512.0 MiB/1.5 GiB (33%)   \r"
COMPLETE = "Install complete."
RESTART = "[  120.000000] reboot: Restarting system"
DISK_KERNEL = "[    0.000000] Command line: BOOT_IMAGE=/ostree root=LABEL=root console=ttyS0"
INSTALLED_SIGNAL = "nestos-installer-test-OK"

UNTIL_INSTALLING = (
    FIRMWARE,
    MENU,
    KERNEL,
    LIVE_COMMAND_LINE,
    INITRAMFS,
    SWITCH_ROOT,
    LIVE_SIGNAL,
    INSTALLING,
)
WHOLE = (
    *UNTIL_INSTALLING,
    PROGRESS,
    COMPLETE,
    RESTART,
    FIRMWARE,
    KERNEL,
    DISK_KERNEL,
    INITRAMFS,
    SWITCH_ROOT,
    INSTALLED_SIGNAL,
)

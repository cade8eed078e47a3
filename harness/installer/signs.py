"""The lines in a console, a journal or a live system's signal port that show an installation's progress.

The texts are those of ISOLINUX, GRUB, iPXE, Linux, systemd, dracut, coreos-installer 0.20 and NestOS's units.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum


class Stage(StrEnum):
    """The steps of an installation, in order. A stage lasts until the sign of the next one."""

    FIRMWARE = "firmware"
    BOOT_MENU = "boot menu"
    KERNEL = "kernel"
    INITRAMFS = "initramfs"
    LIVE_UP = "live system up"
    INSTALL_STARTED = "install started"
    IMAGE_WRITTEN = "image written"
    REBOOT = "reboot"
    INSTALLED_UP = "installed system up"
    CHECKS = "checks"


ORDER = tuple(Stage)
LIVE_ONLY = (*ORDER[:5], Stage.CHECKS)
"""The stages of a live system that installs nothing."""
BOOT = ORDER[:5]
"""The stages of a boot, also that of the installed system."""


@dataclass(frozen=True)
class Sign:
    """A pattern: a line that matches `regex` shows that `stage` has begun."""

    stage: Stage
    regex: re.Pattern[str]


def _sign(stage: Stage, regex: str) -> Sign:
    return Sign(stage, re.compile(regex))


SIGNS = (
    _sign(
        Stage.BOOT_MENU,
        r"ISOLINUX \d|SYSLINUX \d|PXELINUX \d|GNU GRUB|Welcome to GRUB|iPXE \d|iPXE initialising"
        r"|Start PXE over|Booting from (?:DVD/CD|Hard Disk|ROM)|BdsDxe: starting Boot",
    ),
    _sign(Stage.KERNEL, r"Linux version \d"),
    _sign(
        Stage.INITRAMFS, r"Run /init as init process|systemd\[1\]: Running in initrd|Running in initial RAM"
    ),
    _sign(
        Stage.LIVE_UP, r"Switching root|Reached target .*initrd-switch-root\.target|Starting .*Switch Root"
    ),
    _sign(
        Stage.INSTALL_STARTED,
        r"(?:nestos|coreos)-liveiso-success|live-test-OK|login: \w+ \(automatic login\)|\blogin: $"
        r"|Welcome to the \w+ live environment",
    ),
    _sign(
        Stage.IMAGE_WRITTEN,
        r"Installing \S+ \S+ \(\d+-byte sectors\)|Running with arguments: |Read disk [\d.]+ "
        r"|Downloading image",
    ),
    _sign(Stage.REBOOT, r"Install complete\."),
    _sign(
        Stage.INSTALLED_UP,
        r"reboot: Restarting system|reboot: machine restart|systemd-shutdown\[1\]: Rebooting\.",
    ),
    _sign(Stage.CHECKS, r"(?:nestos|coreos)-installer-test-OK"),
)
"""Signs in the order of the stages. A skipped stage counts as done."""


@dataclass(frozen=True)
class Trouble:
    """A pattern: a line that matches `regex` shows a failure. A `final` one ends the scenario.

    Others are remembered; the first of them is reported as the cause of a later end of its stage, a `lasting`
    one also of a later stage.
    """

    cause: str
    regex: re.Pattern[str]
    final: bool = False
    lasting: bool = False


def _trouble(cause: str, regex: str, *, final: bool = False, lasting: bool = False) -> Trouble:
    return Trouble(cause, re.compile(regex), final, lasting)


TROUBLES = (
    _trouble("no-such-disk", r"checking whether \S+ is an IBM DASD disk|getting absolute path to \S+"),
    _trouble("not-a-block-device", r"\S+ is not a block device"),
    _trouble("disk-in-use", r"found busy partitions|Partitions in use on \S+"),
    _trouble("sector-size", r"source has sector size \d+ but destination has sector size \d+"),
    _trouble(
        "no-signature",
        r"--insecure not specified and signature not found|Couldn't read signature file"
        r"|Failed to fetch signature",
    ),
    _trouble("insecure-config", r"refusing to fetch Ignition config over HTTP"),
    _trouble("unknown-protocol", r"unknown protocol for URL"),
    _trouble("config-unreachable", r"downloading source Ignition config|opening source Ignition config"),
    _trouble("config-not-json", r"parsing specified Ignition config"),
    _trouble("config-hash", r"failed to validate Ignition configuration digest"),
    _trouble("saved-partition", r"collision with partition \d+"),
    _trouble("no-osmet", r"cannot perform offline install; metadata missing"),
    _trouble("no-stream", r"The --stream is not currently supported"),
    _trouble("disk-too-small", r"decoding and writing image|No space left on device"),
    _trouble("fetch", r"Error fetching|Sleeping \d+s and retrying|fetching '[^']+'"),
    # The kernel goes on, and finds no init a moment later.
    _trouble("memory", r"Initramfs unpacking failed: write error", lasting=True),
    _trouble(
        "memory",
        r"Out of memory: Killed process|System is deadlocked on memory|Cannot allocate memory"
        r"|insufficient memory|at least \d+ [MG]iB of (?:RAM|memory)",
    ),
    _trouble(
        "rootfs-mismatch",
        r"rootfs image does not belong to this initramfs|Couldn't fetch, verify, and unpack image"
        r"|rootfs version matches the initramfs",
    ),
    _trouble("no-rootfs", r"No rootfs image found"),
    _trouble("no-medium", r"no medium with the volume id|Timed out waiting for device /dev/disk/by-label/"),
    _trouble("guest-check-failed", r"^check-failed: ", final=True),
    _trouble("install-failed", r"Error: install failed", final=True),
    _trouble(
        "installer-unit-failed",
        r"(?:nestos|coreos)-installer\.service: (?:Main process exited, code=exited, status=[1-9]"
        r"|Failed with)|Failed to start (?:nestos|coreos)-installer",
        final=True,
    ),
    _trouble(
        "emergency-target",
        r"(?:nestos|coreos)-(?:installer-)?test-entered-emergency-target|Entering emergency mode"
        r"|You are in emergency mode|Press Enter for (?:emergency shell|maintenance)",
        final=True,
    ),
    _trouble("kernel-panic", r"Kernel panic - not syncing", final=True),
    _trouble("dracut-fatal", r"dracut: (?:Refusing to continue|FATAL)|Warning: Could not boot\.", final=True),
    _trouble(
        "no-boot-device",
        r"No bootable device|No bootable option or device was found"
        r"|Boot failed: (?:could not read the boot disk|not a bootable disk)",
    ),
)
"""Signs of failure. Firmware that finds a device empty tries the next one, so that sign is not final."""

MEDIUM_AGAIN = _trouble(
    "medium-booted-again",
    r"Command line: .*\.(?:liveiso|live\.rootfs_url)=|ISOLINUX \d|PXELINUX \d|live-test-OK",
    final=True,
)
"""A failure once the installed system is expected: the machine boots the medium instead of its disk."""

TOO_EARLY = _trouble("signal-too-early", r"(?:nestos|coreos)-installer-test-OK", final=True)
"""A failure as long as the machine has not rebooted from the installation."""

"""Kernel and first-boot arguments, written into the boot partition of a machine's own overlay.

An ostree system has one boot entry (Boot Loader Specification) for each deployment, and an image has one
deployment; the entry's `options` are the kernel's arguments. GRUB reads `ignition.firstboot` on the first
boot only.
"""

from __future__ import annotations

import os
import re

from harness.errors import ConfigError
from harness.platform.parts import partition
from harness.platform.parts.filesystem import ExtFiles, Files, GuestfishFiles, is_ext

ENTRIES = "/loader/entries"
FIRST_BOOT = "/ignition.firstboot"
_ENTRY = re.compile(r"ostree.*\.conf")
_PRINTABLE = re.compile(r"[\x20-\x7e]*")


def check(text: str) -> None:
    """Raise ConfigError for text that cannot stand in a boot entry or between GRUB's quotes."""
    if not _PRINTABLE.fullmatch(text) or '"' in text:
        raise ConfigError(
            f"kernel arguments {text!r}: only printable ASCII without double quotes is possible"
        )


def insert(overlay: int, *, kernel: str, firstboot: str) -> None:
    """Change the qcow2 overlay given as an open file. Raises ConfigError that names what the image lacks."""
    check(kernel)
    check(firstboot)
    boot = partition.read_table(overlay).named("boot")
    if boot is None:
        raise ConfigError(
            "the disk image has no partition named boot", hint="kernel arguments need an image with one"
        )
    before = partition.copy_out(overlay, boot)
    try:
        if not is_ext(os.pread(before, 2048, 0)):
            edit(GuestfishFiles(overlay), kernel=kernel, firstboot=firstboot)
            return
        after = partition.duplicate(before)
        try:
            edit(ExtFiles(after), kernel=kernel, firstboot=firstboot)
            partition.write_back(overlay, boot, before, after)
        finally:
            os.close(after)
    finally:
        os.close(before)


def edit(files: Files, *, kernel: str, firstboot: str) -> None:
    """Append to the only boot entry, and set the arguments that GRUB adds on the first boot."""
    if kernel:
        found = [name for name in files.names(ENTRIES) if _ENTRY.fullmatch(name)]
        if len(found) != 1:
            seen = ", ".join(found) or "none"
            raise ConfigError(f"the image should have one boot entry {ENTRIES}/ostree*.conf, and has {seen}")
        path = f"{ENTRIES}/{found[0]}"
        files.write(path, with_options(files.read(path).decode(), kernel).encode())
    if firstboot:
        if FIRST_BOOT.removeprefix("/") not in files.names("/"):
            raise ConfigError(
                "the image has no /boot/ignition.firstboot: it has been booted already",
                hint="first-boot arguments need an image that never was",
            )
        files.write(FIRST_BOOT, f'set ignition_network_kcmdline="{firstboot}"\n'.encode())


def with_options(entry: str, arguments: str) -> str:
    """Return the text of a boot entry with `arguments` appended to its `options` line."""
    lines = entry.splitlines()
    for number, line in enumerate(lines):
        if line.startswith("options "):
            lines[number] = f"{line.rstrip()} {arguments}"
            return "\n".join(lines) + "\n"
    raise ConfigError("the image's boot entry has no options line")

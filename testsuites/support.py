"""Small readings several suites share."""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from pathlib import PurePosixPath

from harness.ignition.additions import GuestFile
from harness.machine.machine import Machine


def os_release(machine: Machine) -> dict[str, str]:
    """The fields of /etc/os-release (os-release(5))."""
    fields = {}
    for line in machine.run("cat /etc/os-release").check().lines:
        key, separator, value = line.partition("=")
        if separator:
            fields[key] = "".join(shlex.split(value))
    return fields


def words(text: str) -> list[str]:
    return text.split()


def write_files(machine: Machine, files: Iterable[GuestFile]) -> None:
    """Write files that others get by Ignition, and the directories they are in."""
    for file in files:
        machine.run(["mkdir", "-p", str(PurePosixPath(file.path).parent)], sudo=True).check()
        content = file.content if isinstance(file.content, str) else file.content.decode()
        machine.file(file.path).write(content)


def mount_options(machine: Machine, path: str) -> list[str]:
    """The options of the mount that holds `path`."""
    return machine.run(["findmnt", "-no", "OPTIONS", "--target", path]).check().stdout.strip().split(",")


def listeners(machine: Machine) -> set[tuple[str, int]]:
    """Protocol and port of every socket open to others than the machine itself."""
    found = set()
    for line in machine.run("ss -Hltun", sudo=True).check().lines:
        fields = line.split()
        address, _, port = fields[4].rpartition(":")
        if not address.strip("[]").startswith(("127.", "::1")) and port.isdigit():
            found.add((fields[0], int(port)))
    return found

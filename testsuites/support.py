"""Small helpers that several suites share."""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from pathlib import PurePosixPath

from harness.ignition.additions import GuestFile
from harness.machine.machine import Machine


def os_release(machine: Machine) -> dict[str, str]:
    """Return the fields of /etc/os-release (os-release(5))."""
    fields = {}
    for line in machine.run("cat /etc/os-release").check().lines:
        key, separator, value = line.partition("=")
        if separator:
            fields[key] = "".join(shlex.split(value))
    return fields


def words(text: str) -> list[str]:
    return text.split()


def write_files(machine: Machine, files: Iterable[GuestFile]) -> None:
    """Write files that other machines get by Ignition, and their directories."""
    for file in files:
        machine.run(["mkdir", "-p", str(PurePosixPath(file.path).parent)], sudo=True).check()
        content = file.content if isinstance(file.content, str) else file.content.decode()
        machine.file(file.path).write(content)


def mount_options(machine: Machine, path: str) -> list[str]:
    """Return the options of the mount that holds `path`."""
    return machine.run(["findmnt", "-no", "OPTIONS", "--target", path]).check().stdout.strip().split(",")


def found_by(machine: Machine, places: str, condition: str, bad: str) -> list[str]:
    """Return the paths below `places` that meet the conditions of find(1).

    `bad` is a shell command that plants such a file as `$it`: a `find` that misses it proves nothing.
    """
    script = (
        f'it=$(mktemp -u /var/tmp/kola-proof.XXXXXX); {bad}; echo "$it"; '
        f'find {places} "$it" -xdev {condition} 2>/dev/null; rm -rf "$it"'
    )
    planted, *found = machine.run(script, sudo=True).check().lines
    assert planted in found, f"find does not work: it does not list {planted}, which meets `{condition}`"
    return [path for path in found if path != planted]


def listeners(machine: Machine) -> set[tuple[str, int]]:
    """Return protocol and port of every socket open to other machines."""
    found = set()
    shown = machine.run("ss -Hltun; echo; cat /proc/net/tcp /proc/net/tcp6", sudo=True).check().stdout
    sockets, _, kernels = shown.partition("\n\n")
    rows = [line.split() for line in kernels.splitlines()]
    kernel = {int(row[1].rpartition(":")[2], 16) for row in rows if len(row) > 3 and row[3] == "0A"}
    told = {line.split()[4].rpartition(":")[2] for line in sockets.splitlines() if line.startswith("tcp")}
    missed = sorted(port for port in kernel if str(port) not in told)
    assert not missed, f"ss does not work: it does not list the TCP ports {missed}, which the kernel has open"
    for line in sockets.splitlines():
        fields = line.split()
        address, _, port = fields[4].rpartition(":")
        if not address.strip("[]").startswith(("127.", "::1")) and port.isdigit():
            found.add((fields[0], int(port)))
    return found

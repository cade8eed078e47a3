"""The items of a system's record, each parsed from a line of what collect.sh prints."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

_LISTED = re.compile(r"([-dl])0(\d{4}) +(\d+) +(\d+) +(\d+) ([0-9a-f]{64})(?: [0-9a-f]{64})? (/.*)")
_KINDS = {"-": "f", "d": "d", "l": "l"}


@dataclass(frozen=True, order=True)
class Account:
    """A line of passwd(5)."""

    name: str
    password: str
    uid: int
    gid: int
    home: str
    shell: str

    @property
    def can_log_in(self) -> bool:
        return not self.shell.endswith(("/nologin", "/false"))


@dataclass(frozen=True, order=True)
class Group:
    """A line of group(5)."""

    name: str
    gid: int
    members: tuple[str, ...]


@dataclass(frozen=True, order=True)
class FileFact:
    """A file of the system: `kind` as find(1) writes it (`f`, `d`, `l`, `b`, `c` …), `size` in bytes."""

    path: str
    kind: str
    mode: int
    uid: int
    gid: int
    size: int
    target: str

    @property
    def name(self) -> str:
        return self.path.rpartition("/")[2]


@dataclass(frozen=True, order=True)
class Committed:
    """A file as the commit has it; `checksum` is ostree's, of content and metadata."""

    path: str
    kind: str
    mode: int
    uid: int
    gid: int
    size: int
    checksum: str
    target: str


@dataclass(frozen=True, order=True)
class Socket:
    """A listening socket; `process` is the first of those that hold it, empty where ss(8) names none."""

    protocol: str
    address: str
    port: int
    process: str


@dataclass(frozen=True)
class SshPolicy:
    """The settings of one sshd for one user from one address: `sshd -T -C` in lower case."""

    daemon: str
    user: str
    address: str
    settings: Mapping[str, tuple[str, ...]]

    def value(self, key: str) -> str:
        """Return the setting's first value; empty when sshd does not print it."""
        return next(iter(self.settings.get(key, ())), "")


@dataclass(frozen=True, order=True)
class UnitState:
    """A loaded unit as `systemctl list-units` shows it; `manager` is `system` or a user's name."""

    manager: str
    name: str
    load: str
    active: str
    sub: str


@dataclass(frozen=True, order=True)
class Mount:
    """A mount of process 1; `options` are those of the mount point, `of_file_system` of what is mounted.

    `shared` says that mounts below it reach other namespaces, such as those of containers.
    """

    point: str
    root: str
    kind: str
    source: str
    options: frozenset[str]
    of_file_system: frozenset[str] = frozenset()
    shared: bool = True


@dataclass(frozen=True, order=True)
class FileSystem:
    """A file system by where it is mounted: its size and what is free, in bytes; free inodes, if it counts
    them.
    """

    point: str
    size: int
    free: int
    free_inodes: int | None


@dataclass(frozen=True)
class BootEntry:
    """A boot loader entry (Boot Loader Specification, type 1)."""

    file: str
    fields: Mapping[str, str]

    @property
    def options(self) -> tuple[str, ...]:
        return tuple(self.fields.get("options", "").split())


@dataclass(frozen=True, order=True)
class Process:
    """A process with its terminal (`?` for none), its cgroup, and the last part of that that is a unit."""

    pid: int
    parent: int
    terminal: str
    name: str
    unit: str
    cgroup: str = ""


@dataclass(frozen=True, order=True)
class UnixSocket:
    """A listening UNIX socket; `path` begins with `@` where it is abstract."""

    path: str
    pids: tuple[int, ...]


@dataclass(frozen=True)
class Line:
    """A line of a file, as `grep -H` prints it."""

    file: str
    text: str


def account_of(row: str) -> Account | None:
    fields = row.split(":")
    if len(fields) != 7 or not (fields[2].isdigit() and fields[3].isdigit()):
        return None
    return Account(fields[0], fields[1], int(fields[2]), int(fields[3]), fields[5], fields[6])


def file_of(line: str) -> FileFact | None:
    head, _, target = line.partition("\t")
    fields = head.split(" ", 5)
    if len(fields) != 6 or not fields[2].isdigit():
        return None  # the rest of a name that contains a line break
    kind, mode, uid, gid, size, path = fields
    return FileFact(path, kind, int(mode, 8), int(uid), int(gid), int(size), target)


def file_system_of(line: str) -> FileSystem | None:
    """A line of `df -B1 --output=target,size,avail,iavail`."""
    fields = line.split()
    if len(fields) != 4 or not (fields[1].isdigit() and fields[2].isdigit()):
        return None
    inodes = int(fields[3]) if fields[3].isdigit() else None
    return FileSystem(fields[0], int(fields[1]), int(fields[2]), inodes)


def committed_of(line: str) -> Committed | None:
    """A line of `ostree ls -R -C`: type and mode, owner, group, size, one checksum or two, path, target."""
    match = _LISTED.fullmatch(line)
    if match is None:
        return None
    kind, mode, uid, gid, size, checksum, path = match.groups()
    path, _, target = path.partition(" -> ") if kind == "l" else (path, "", "")
    return Committed(path, _KINDS[kind], int(mode, 8), int(uid), int(gid), int(size), checksum, target)


def socket_of(fields: list[str]) -> Socket | None:
    if len(fields) < 5:
        return None
    address, _, port = fields[4].rpartition(":")
    process = fields[6].partition('(("')[2].partition('"')[0] if len(fields) > 6 else ""
    return Socket(fields[0], address.strip("[]"), int(port) if port.isdigit() else 0, process)


def unit_of(manager: str, row: str) -> UnitState | None:
    fields = row.split()
    return UnitState(manager, *fields[:4]) if len(fields) >= 4 else None


def mount_of(line: str) -> Mount:
    """A line of mountinfo (proc(5)): fields before and after the ` - `."""
    before, _, after = line.partition(" - ")
    fields, rest = before.split(), after.split()
    return Mount(
        fields[4],
        fields[3],
        rest[0],
        rest[1],
        frozenset(fields[5].split(",")),
        frozenset(" ".join(rest[2:]).split(",")),
        any(field.startswith("shared:") for field in fields[6:]),
    )

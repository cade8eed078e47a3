"""The record of a system, which collect.sh prints: sections, parsed into items."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cached_property

from testsuites.audit.items import (
    Account,
    BootEntry,
    Committed,
    FileFact,
    FileSystem,
    Group,
    Line,
    Mount,
    Process,
    Socket,
    SshPolicy,
    UnitState,
    UnixSocket,
    account_of,
    committed_of,
    file_of,
    file_system_of,
    mount_of,
    socket_of,
    unit_of,
)

_MARK = "@@ "
CANARY_RIGHT = "/bin/kola-audit-canary"
"""A right of nobody that sudo has to list; the collector gives it for a moment."""
_PID = re.compile(r"pid=(\d+)")
_UNIT = re.compile(r"\.(service|scope|socket|slice)$")


class Record:
    """All sections of one collection. Each is parsed at its first use, and only once."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._sections: dict[str, list[str]] = {}
        self._policies: list[tuple[str, list[str]]] = []
        lines: list[str] = []
        for line in text.splitlines():
            if line.startswith(_MARK):
                lines = []
                name, _, rest = line.removeprefix(_MARK).partition(" ")
                if name == "sshd":
                    self._policies.append((rest, lines))
                else:
                    self._sections[name] = lines
            elif line:
                lines.append(line)

    @property
    def complete(self) -> bool:
        """True when the collector ran to its end."""
        return "end" in self._sections

    def lines(self, section: str) -> list[str]:
        """Return the non-empty lines of a section."""
        return self._sections.get(section, [])

    def file_lines(self, section: str) -> list[Line]:
        """Return the lines of a section that `grep -H` wrote."""
        pairs = (line.partition(":") for line in self.lines(section))
        return [Line(file, text) for file, separator, text in pairs if separator]

    @cached_property
    def canary(self) -> str:
        """The directory of the items that the collector planted. Rules skip it."""
        return next(iter(self.lines("canary")), "/no-canary")

    @cached_property
    def accounts(self) -> tuple[Account, ...]:
        """The accounts of /etc/passwd, and those that the system knows from elsewhere (nss-altfiles,
        systemd).
        """
        rows = dict.fromkeys([*self.lines("passwd"), *self.lines("getent-passwd")])
        return tuple(account for row in rows if (account := account_of(row)) is not None)

    @cached_property
    def groups(self) -> tuple[Group, ...]:
        found = []
        for row in self.lines("getent-group"):
            name, _, gid, members = (row.split(":") + [""] * 4)[:4]
            found.append(Group(name, int(gid), tuple(member for member in members.split(",") if member)))
        return tuple(found)

    def fields(self, section: str) -> list[list[str]]:
        """Return lines of a file such as /etc/shadow, split at colons."""
        return [line.split(":") for line in self.lines(section)]

    @cached_property
    def all_files(self) -> Mapping[str, FileFact]:
        """All files by path, including the canaries."""
        found = (file_of(line) for line in self.lines("files"))
        return {file.path: file for file in found if file is not None}

    @cached_property
    def files(self) -> tuple[FileFact, ...]:
        """All files that the collector did not plant, sorted by path."""
        return tuple(
            file
            for path, file in sorted(self.all_files.items())
            if path != self.canary and not path.startswith(f"{self.canary}/")
        )

    @cached_property
    def capabilities(self) -> Mapping[str, str]:
        """File capabilities by path, as getcap(8) writes them; the canary's included."""
        return dict(sorted(line.split(" ", 1) for line in self.lines("capabilities") if " " in line))

    @cached_property
    def attributes(self) -> Mapping[str, str]:
        """The attributes of files that nobody may change, by path, as lsattr(1) writes them."""
        pairs = (line.partition(" ") for line in self.lines("attributes"))
        return {path: letters.replace("-", "") for letters, _, path in pairs if path}

    @cached_property
    def access_lists(self) -> tuple[str, ...]:
        """Paths of files that have an access list besides their mode."""
        return tuple(sorted(line for line in self.lines("access-lists") if line.startswith("/")))

    @cached_property
    def file_systems(self) -> tuple[FileSystem, ...]:
        """The file systems that an update writes to."""
        found = (file_system_of(line) for line in self.lines("space"))
        return tuple(one for one in found if one is not None)

    @cached_property
    def binary_handlers(self) -> Mapping[str, str]:
        """The interpreters and flags that binfmt_misc hands binaries to, by the handler's name."""
        found: dict[str, str] = {}
        for line in self.file_lines("binary-handlers"):
            name = line.file.rpartition("/")[2]
            if line.text.startswith(("interpreter ", "flags: ")) and line.text.strip() != "flags:":
                found[name] = " ".join((found.get(name, ""), line.text.strip())).strip()
        return found

    @cached_property
    def digests(self) -> Mapping[str, str]:
        """SHA-256 of the files of /etc and /usr/etc by path."""
        return {line[66:]: line[:64] for line in self.lines("digests") if line[64:66] == "  "}

    def shipped(self, file: str) -> bool:
        """Return True for a file of the commit's /usr, and for one of /etc with the content /usr/etc has."""
        if file.startswith("/usr/"):
            return not file.startswith("/usr/local/")  # which is /var/usrlocal
        digest = self.digests.get(file)
        return digest is not None and digest == self.digests.get(f"/usr{file}")

    @cached_property
    def secrets(self) -> tuple[Line, ...]:
        """Lines that are private or public keys, the canaries included."""
        return tuple(self.file_lines("secrets"))

    @cached_property
    def sudo(self) -> Mapping[str, tuple[str, ...]]:
        """The sudo rights of each account: the lines of `sudo -l -U` that begin with a `(`."""
        rights: dict[str, tuple[str, ...]] = {}
        for line in self.lines("sudo"):
            account, _, said = line.partition(": ")
            rights.setdefault(account, ())
            if said.strip().startswith("(") and CANARY_RIGHT not in said:
                rights[account] += (said.strip(),)
        return rights

    @cached_property
    def sockets(self) -> tuple[Socket, ...]:
        """Listening sockets of TCP, UDP and vsock."""
        tcp_udp = (socket_of(line.split()) for line in self.lines("sockets"))
        vsock = (socket_of(["vsock", *line.split()[1:]]) for line in self.lines("vsock"))
        return tuple(sorted(socket for socket in (*tcp_udp, *vsock) if socket is not None))

    @cached_property
    def unix_sockets(self) -> tuple[UnixSocket, ...]:
        """Listening UNIX sockets that have a name."""
        rows = (line.split() for line in self.lines("unix-sockets"))
        return tuple(
            UnixSocket(row[4], tuple(int(pid) for pid in _PID.findall(row[-1])))
            for row in rows
            if len(row) > 5 and row[4] != "*"
        )

    @cached_property
    def cgroups(self) -> Mapping[int, Process]:
        """Processes by number."""
        found = {}
        for line in self.lines("cgroups"):
            fields = line.split(maxsplit=4)
            if len(fields) == 5 and fields[0].isdigit():
                unit = next((part for part in reversed(fields[4].split("/")) if _UNIT.search(part)), "")
                one = Process(int(fields[0]), int(fields[1]), fields[2], fields[3], unit, fields[4])
                found[one.pid] = one
        return found

    @cached_property
    def processes_later(self) -> frozenset[int]:
        """Numbers of the processes that were there after systemd had named the services' main processes."""
        numbers = (line.removeprefix("/proc/") for line in self.lines("processes-later"))
        return frozenset(int(number) for number in numbers if number.isdigit())

    @cached_property
    def programs(self) -> Mapping[int, str]:
        """The executables of processes; kernel threads have none."""
        rows = (line.partition(" ") for line in self.lines("programs"))
        return {int(head.rpartition("/")[2]): path for head, _, path in rows if head[6:].isdigit() and path}

    @cached_property
    def committed(self) -> Mapping[str, Committed]:
        """Files that the booted commit has below /usr, by path."""
        found = (committed_of(line) for line in self.lines("committed"))
        return {file.path: file for file in found if file is not None}

    @cached_property
    def changed(self) -> frozenset[str]:
        """Files below /usr that were written since ostree deployed them, by their times."""
        return frozenset(path for path in self.lines("retimed") if path.startswith("/usr/"))

    @cached_property
    def policies(self) -> tuple[SshPolicy, ...]:
        found = []
        for head, lines in self._policies:
            user, address, daemon = (head.split(" ", 2) + [""] * 3)[:3]
            found.append(SshPolicy(daemon.strip(), user, address, _settings(lines)))
        return tuple(found)

    def settings(self, section: str) -> dict[str, tuple[str, ...]]:
        """Return the settings of an `sshd -T` by name in lower case."""
        return _settings(self.lines(section))

    @cached_property
    def units(self) -> tuple[UnitState, ...]:
        """Loaded units of the system and of every user manager."""
        found = [unit_of("system", line) for line in self.lines("units")]
        for line in self.lines("user-units"):
            manager, _, row = line.partition(": ")
            found.append(unit_of(manager, row))
        return tuple(unit for unit in found if unit is not None)

    def shown(self, section: str) -> list[dict[str, str]]:
        """Return the properties of each unit in a section that `systemctl show` wrote."""
        found: list[dict[str, str]] = []
        for line in self.lines(section):
            if line == "--":
                found.append({})
                continue
            key, _, value = line.partition("=")
            if not found or key in found[-1]:
                found.append({})
            found[-1][key] = value
        return found

    @cached_property
    def mounts(self) -> tuple[Mount, ...]:
        return tuple(mount_of(line) for line in self.lines("mounts"))

    @cached_property
    def kernel_arguments(self) -> tuple[str, ...]:
        return tuple(" ".join(self.lines("cmdline")).split())

    @cached_property
    def sysctl(self) -> Mapping[str, str]:
        pairs = (line.partition("=") for line in self.lines("sysctl"))
        return {key.strip(): value.strip() for key, separator, value in pairs if separator}

    @cached_property
    def entries(self) -> tuple[BootEntry, ...]:
        """The entries of the boot loader, by file name."""
        files: dict[str, dict[str, str]] = {}
        for line in self.file_lines("entries"):
            key, _, value = line.text.strip().partition(" ")
            files.setdefault(line.file, {})[key] = value.strip()
        return tuple(BootEntry(file, fields) for file, fields in sorted(files.items()))

    @cached_property
    def packages(self) -> Mapping[str, str]:
        """Versions by name. For a package installed several times (a kernel), the last one."""
        return dict(line.split(" ", 1) for line in self.lines("packages") if " " in line)


def _settings(lines: list[str]) -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for line in lines:
        key, _, value = line.partition(" ")
        found[key.lower()] = (*found.get(key.lower(), ()), value)
    return found


def settings_of(lines: list[Line]) -> Iterator[tuple[str, str, str]]:
    """Yield file, key and value of lines such as `Key=value`, in the order in which systemd reads the
    files.
    """
    for line in sorted(lines, key=lambda line: line.file.rpartition("/")[2]):
        key, separator, value = line.text.partition("=")
        if separator:
            yield line.file, key.strip(), value.strip()

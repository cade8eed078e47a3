"""Rules for modes and owners of files, device nodes and swap, access lists and attributes."""

from __future__ import annotations

import re
from collections.abc import Iterator

from testsuites.audit.finding import Finding
from testsuites.audit.items import FileFact
from testsuites.audit.record import Record
from testsuites.audit.secrets import HOST_KEY

_VOLATILE = ("/run/", "/dev/", "/proc/", "/sys/")
_SECRET = {"/etc/shadow": 0o027, "/etc/gshadow": 0o027, "/etc/shadow-": 0o027, "/etc/gshadow-": 0o027}
"""Bits of the mode that must not be set."""
_FOR_ALL = {
    **dict.fromkeys(("/tmp", "/var/tmp", "/dev/shm"), ("d", 0o1777)),
    **dict.fromkeys(
        ("/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom", "/dev/tty", "/dev/ptmx"),
        ("c", 0o666),
    ),
}
"""Kinds and modes of what every program needs."""
_JOURNALS = ("/var/log/journal", "/run/log/journal")
"""Beginnings of paths to which journald itself and systemd's tmpfiles.d give access lists."""
_PRIVATE_DEVICE = re.compile(r"b /dev/|c /dev/(mem|kmem|port|nvram|sg\d|uinput|cpu/)")
_DISK_GROUPS = {"root", "disk", "cdrom", "floppy", "optical"}


def world_writable(record: Record) -> list[Finding]:
    """Return files and directories that all may write, device nodes outside /dev, files without an owner."""
    return [*_open_files(record), *beyond_modes(record), *_swap(record)]


def _swap(record: Record) -> Iterator[Finding]:
    """Swap that others than root may read, or that lies in a file that is not root's."""
    for line in record.lines("swaps")[1:]:
        path = line.split()[0]
        file = record.all_files.get(path)
        if file is not None and (file.uid != 0 or file.mode & 0o007):
            says = f"memory is written to it; it belongs to {file.uid}:{file.gid}, mode {file.mode:o}"
            yield Finding("swap is root's", path, says)


def beyond_modes(record: Record) -> list[Finding]:
    """Return files whose mode does not tell all: those with access lists, or attributes against changes."""
    found = [
        Finding("modes say who may do what", path, "has an access list besides its mode")
        for path in record.access_lists
        if not path.startswith(_JOURNALS)
    ]
    for path, letters in sorted(record.attributes.items()):
        if not path.startswith(f"{record.canary}/"):
            says = "is immutable (chattr +i)" if "i" in letters else "can only grow (chattr +a)"
            found.append(Finding("root may change files", path, says))
    return found


def _open_files(record: Record) -> Iterator[Finding]:
    uids = {account.uid for account in record.accounts}
    names = {group.gid: group.name for group in record.groups}
    gids = names.keys()
    homes = {account.home: account.uid for account in record.accounts if account.can_log_in and account.uid}
    homes = {home: uid for home, uid in homes.items() if home.startswith(("/var/home/", "/home/"))}
    for file in record.files:
        mode = f"mode {file.mode:o}"
        if file.path in _FOR_ALL and (file.kind, file.mode) != _FOR_ALL[file.path]:
            yield Finding("what is for all is open to all", file.path, f"is {file.kind} with {mode}")
        if (
            file.path.startswith("/dev/")
            and file.mode & 0o006
            and _PRIVATE_DEVICE.match(f"{file.kind} {file.path}")
        ):
            yield Finding("disks and memory are root's", file.path, f"all may open it, {mode}")
        elif file.path.startswith("/dev/") and file.kind == "b":
            group = names.get(file.gid, str(file.gid))
            if file.uid != 0 or (group not in _DISK_GROUPS and file.mode & 0o060):
                says = f"belongs to {file.uid} and the group {group}, {mode}"
                yield Finding("disks and memory are root's", file.path, says)
        if file.path.startswith(_VOLATILE) and file.kind not in "fd":
            continue
        if file.path.startswith("/dev/"):
            continue
        if file.kind in "bc":
            if not file.path.startswith("/dev/"):
                yield Finding("device nodes are in /dev", file.path, f"is a device node, {mode}")
        elif file.kind == "f" and file.mode & 0o002:
            yield Finding("nobody writes others' files", file.path, f"all may write it, {mode}")
        elif file.kind == "d" and file.mode & 0o002 and not file.mode & 0o1000:
            yield Finding("shared directories are sticky", file.path, f"all may remove files in it, {mode}")
        if file.path.startswith("/etc/") and file.kind in "fd" and not _roots(record, file):
            yield Finding("/etc is root's", file.path, f"belongs to {file.uid}:{file.gid}, {mode}")
        if file.uid not in uids or file.gid not in gids:
            yield Finding("every file has an owner", file.path, f"belongs to {file.uid}:{file.gid}")
        if file.mode & _SECRET.get(file.path, 0):
            yield Finding("hashes are secret", file.path, mode)
        elif file.path in _SECRET and (group := names.get(file.gid, "")) not in ("root", "shadow"):
            yield Finding("hashes are secret", file.path, f"belongs to the group {group}, {mode}")
        if HOST_KEY.fullmatch(file.path) and not file.name.endswith(".pub") and file.mode & 0o007:
            yield Finding("host keys are secret", file.path, mode)
        if file.path in homes and file.kind == "d":
            if file.uid != homes[file.path]:
                yield Finding(
                    "homes are their users'", file.path, f"belongs to {file.uid}:{file.gid}, {mode}"
                )
            elif file.mode & 0o022 and not file.mode & 0o002:
                yield Finding("homes are their users'", file.path, f"others may write it, {mode}")
        yield from _foreign_in_home(file, homes)
        if file.path in ("/var/roothome", "/root") and file.kind == "d" and file.mode & 0o022:
            yield Finding("root's home is root's", file.path, mode)


def _foreign_in_home(file: FileFact, homes: dict[str, int]) -> Iterator[Finding]:
    """A file in a user's home that is somebody else's; images of containers belong to subordinate ids."""
    for home, uid in homes.items():
        inside = file.path.startswith(f"{home}/") and "/containers/storage/" not in file.path
        if inside and file.uid != uid and file.kind in "fd":
            says = f"belongs to {file.uid}:{file.gid}, not to {uid}"
            yield Finding("homes are their users'", file.path, says)


def _roots(record: Record, file: FileFact) -> bool:
    """Return True for a file that root alone may change, and for one that is as the build ships it."""
    shipped = record.all_files.get(f"/usr{file.path}")
    if shipped is not None and (shipped.uid, shipped.gid, shipped.mode) == (file.uid, file.gid, file.mode):
        return True
    return file.uid == 0 and (file.gid == 0 or not file.mode & 0o020)

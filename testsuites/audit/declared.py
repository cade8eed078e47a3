"""Rules for tmpfiles.d: files and directories are as it says, and it deletes nothing that must stay."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass

from testsuites.audit.finding import Finding
from testsuites.audit.items import FileFact
from testsuites.audit.record import Record

_MAKES = {"d": "d", "D": "d", "v": "d", "q": "d", "Q": "d", "f": "f", "F": "f"}
"""Kinds of files, by the types of lines that make one with a mode of its own."""
_SETS = ("z", "e")
"""Types of lines that change a mode and an owner of what is there."""
_USUAL = {"d": 0o755, "f": 0o644}
_GLOB = re.compile(r"[*?\[%]")
_STORES = (
    "/var/lib/docker/", "/var/lib/containers/", "/var/lib/containerd/", "/var/lib/isulad/", "/var/lib/crio/",
    "/var/lib/rpm/", "/usr/lib/rpm/", "/ostree/", "/sysroot/", "/boot/", "/etc/", "/var/home/",
    "/var/roothome/", "/home/", "/root/",
)  # fmt: skip
"""Directories whose files stay until somebody removes them."""
_HOLD_STORES = ("", "/var", "/var/lib")
_MAY_AGE = ("/var/lib/containers/storage/tmp", "/var/lib/docker/tmp")
_PASSING = "/run/user/"


@dataclass(frozen=True)
class _Declared:
    kind: str
    mode: int | None
    user: str
    group: str
    file: str


def as_declared(record: Record) -> list[Finding]:
    """Return files and directories whose mode or owner is not the one that tmpfiles.d of the build says."""
    return list(_as_declared(record))


def aged_stores(record: Record) -> list[Finding]:
    """Return stores from which systemd-tmpfiles deletes what nobody has used for a while."""
    found = []
    for file, fields in _rows(record):
        path, age = _real(fields[1]), fields[5] if len(fields) > 5 else "-"
        held = path.rstrip("/*") in _HOLD_STORES or f"{path}/".startswith(_STORES)
        if age not in ("-", "0") and held and not path.startswith(_MAY_AGE):
            found.append(Finding("no store ages", path, f"loses what is older than {age}, as {file} says"))
    return found


def _as_declared(record: Record) -> Iterator[Finding]:
    uids = {account.name: account.uid for account in record.accounts}
    gids = {group.name: group.gid for group in record.groups}
    for path, one in _lines(record).items():
        file = record.all_files.get(path)
        if file is None or (one.kind and file.kind != one.kind):
            continue
        wanted = FileFact(
            path,
            file.kind,
            file.mode if one.mode is None else one.mode,
            _number(one.user, uids, file.uid),
            _number(one.group, gids, file.gid),
            file.size,
            file.target,
        )
        if (file.mode, file.uid, file.gid) != (wanted.mode, wanted.uid, wanted.gid):
            says = (
                f"has mode {file.mode:o} and owner {file.uid}:{file.gid}, "
                f"and {one.file} says {wanted.mode:o} and {wanted.uid}:{wanted.gid}"
            )
            yield Finding("files are as tmpfiles.d says", path, says)


def _number(name: str, known: dict[str, int], otherwise: int) -> int:
    return int(name) if name.isdigit() else known.get(name, otherwise)


def _lines(record: Record) -> dict[str, _Declared]:
    """The build's lines with a path of its own, the first that makes it, with what later ones set."""
    found: dict[str, _Declared] = {}
    for file, fields in _rows(record):
        if not record.shipped(file):
            continue
        kind, path = fields[0].rstrip("!-=~^+$"), _real(fields[1])
        mode, user, group = ([*fields[2:5], "-", "-", "-"])[:3]
        if _GLOB.search(path) or path.startswith(_PASSING) or mode.startswith((":", "~")):
            continue
        asked = int(mode, 8) if mode.isdigit() else None
        if kind in _MAKES and path not in found:
            usual = _USUAL[_MAKES[kind]] if asked is None else asked
            found[path] = _Declared(_MAKES[kind], usual, _owner(user), _owner(group), file)
        elif kind in _SETS:
            before = found.get(path, _Declared("", None, "", "", file))
            found[path] = _Declared(
                before.kind,
                before.mode if asked is None else asked,
                before.user if user == "-" else user,
                before.group if group == "-" else group,
                file,
            )
    return found


def _rows(record: Record) -> Iterator[tuple[str, list[str]]]:
    """The file of each line, and its fields (tmpfiles.d(5)): type and path at least."""
    file = ""
    for line in record.lines("tmpfiles"):
        if line.startswith("# /"):
            file = line.removeprefix("# ")
        elif len(fields := _split(line)) > 1:
            yield file, fields


def _owner(name: str) -> str:
    """The owner by a line that makes a file: root where it names nobody; none where it is for new files."""
    return "0" if name == "-" else "" if name.startswith(":") else name


def _real(path: str) -> str:
    path = path.rstrip("/") or "/"
    return f"/run{path.removeprefix('/var/run')}" if path.startswith("/var/run/") else path


def _split(line: str) -> list[str]:
    try:
        return shlex.split(line)
    except ValueError:
        return []

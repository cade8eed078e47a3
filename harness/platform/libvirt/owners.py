"""The owner of a domain, written into its metadata, and the removal of what dead owners left."""

from __future__ import annotations

import contextlib
import hashlib
import os
import secrets
import shutil
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from harness.platform.libvirt.library import is_gone
from harness.platform.parts import disks

NAMESPACE = "urn:kola:machine"
PREFIX = "kola-"
METADATA_ELEMENT = 2  # libvirt's VIR_DOMAINMETADATA_ELEMENT
_SCRATCH = "libvirt-"
_LONGEST_PARENT = 50
_ENDED = ("Z", "X")  # states of processes that nobody has waited for yet (proc(5))


@dataclass(frozen=True)
class Owner:
    """A process that starts machines: its run, its host since that host's boot, and its identity there.

    `host` names the PID namespace as well, since containers may share a daemon. `started` is the process's
    start in clock ticks after the boot (proc(5), `stat`, field 22).
    """

    run: str
    host: str
    uid: int
    pid: int
    started: int

    def element(self) -> ElementTree.Element:
        """Return the metadata of this owner's domains."""
        return ElementTree.Element(
            f"{{{NAMESPACE}}}machine",
            {
                "run": self.run,
                "host": self.host,
                "uid": str(self.uid),
                "pid": str(self.pid),
                "started": str(self.started),
            },
        )

    @classmethod
    def parse(cls, text: str) -> Owner | None:
        """Return the owner that a domain's metadata names; None for metadata of another kind."""
        try:
            found = ElementTree.fromstring(text).attrib
            return cls(
                found["run"], found["host"], int(found["uid"]), int(found["pid"]), int(found["started"])
            )
        except (ElementTree.ParseError, KeyError, ValueError):
            return None

    @property
    def dead(self) -> bool:
        """True when this owner was a process of this user on this host, and lives no more."""
        here = self.host == process_space() and self.uid == os.geteuid()
        return here and start_of(self.pid) != self.started

    @property
    def token(self) -> str:
        """A name for this owner's directories, by which a later process finds out whether it lives."""
        return f"{scratch_prefix()}{self.pid}-{self.started}-"


def sockets_directory() -> Path:
    """Return the directory for sockets, whose paths may have 107 bytes only (unix(7))."""
    chosen = Path(tempfile.gettempdir())
    return chosen if len(str(chosen)) <= _LONGEST_PARENT else Path("/tmp")


@cache
def host_id() -> str:
    """Return the kernel's boot id (random(4)): processes are known by their numbers until the next boot."""
    return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="utf-8").strip()


def process_space() -> str:
    """Return a name for the processes that this one can see: those of a PID namespace until the next boot."""
    return f"{host_id()} {_namespace()}"


def _namespace() -> str:
    return str(Path("/proc/self/ns/pid").readlink())


def scratch_prefix() -> str:
    """Return the start of the names of directories here: hosts and containers may share a file system.

    It outlives the host's boot, so that the directories of a host that lost its power are found.
    """
    space = f"{os.uname().nodename} {_namespace()}"
    return f"{_SCRATCH}{hashlib.sha256(space.encode()).hexdigest()[:8]}-"


def start_of(pid: int) -> int | None:
    """Return a process's start in clock ticks after the boot, or None when no such process runs."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
        state, *fields = stat.rpartition(")")[2].split()
        return None if state in _ENDED else int(fields[18])
    except (OSError, IndexError, ValueError):
        return None


def this_process() -> Owner:
    """Return the owner that this process is. Its run's name begins with its number in six hex digits."""
    pid = os.getpid()
    return Owner(f"{pid:06x}{secrets.token_hex(2)}", process_space(), os.geteuid(), pid, start_of(pid) or 0)


def reap(connection: Any, library: Any) -> list[str]:
    """Destroy the domains, and remove the files, that dead processes of this user left; return their names.

    Domains of others, of other hosts and of living processes stay.
    """
    ended = []
    for domain in connection.listAllDomains():
        if not domain.name().startswith(PREFIX):
            continue
        with contextlib.suppress(library.libvirtError):  # it may end meanwhile
            owner = Owner.parse(domain.metadata(METADATA_ELEMENT, NAMESPACE, 0))
            if owner is not None and owner.dead and not domain.isPersistent():
                domain.destroy()
                ended.append(domain.name())
    for parent in (disks.scratch_directory(), sockets_directory()):
        for entry in parent.glob(f"{scratch_prefix()}*"):
            with contextlib.suppress(FileNotFoundError):  # another process reaps it, too
                if abandoned(entry.name) and entry.stat().st_uid == os.geteuid():
                    shutil.rmtree(entry, ignore_errors=True)
    return ended


def end(connection: Any, library: Any, domains: Iterable[str]) -> None:
    """Destroy domains of this process, given by their UUIDs, whose connection was lost.

    A daemon that was killed no longer knows of autodestroy, and one whose client is silent waits half a
    minute. Raises libvirt's error when this connection is lost, too.
    """
    for uuid in domains:
        try:
            connection.lookupByUUIDString(uuid).destroy()
        except library.libvirtError as error:  # most have ended
            if is_gone(error):
                raise


def abandoned(name: str) -> bool:
    """Return True for the name of a file or directory whose owner, a process of this host, is dead."""
    try:
        pid, started = (int(word) for word in name.removeprefix(scratch_prefix()).split("-")[:2])
    except ValueError:
        return False
    return start_of(pid) != started

"""QEMU processes that libvirt's daemon has started on this host, found by the names of their domains.

The daemon is not our child, and neither are they.
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
from collections.abc import Iterator
from pathlib import Path

from harness.errors import DeadlineExceeded
from harness.util.deadline import Deadline

_KILL_SECONDS = 5.0
_GUEST = re.compile(rb"\0-name\0guest=([^,\0]+)")


def guests() -> Iterator[tuple[str, int]]:
    """Yield the name of each domain that runs here, and its QEMU's process id."""
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            with contextlib.suppress(OSError):
                found = _GUEST.search((entry / "cmdline").read_bytes())
                if found is not None:
                    yield found[1].decode(errors="replace"), int(entry.name)


def process_of(name: str) -> int | None:
    """Return the process of a domain; None when this user does not see it."""
    return next((pid for guest, pid in guests() if guest == name), None)


def kill(name: str, pid: int | None) -> None:
    """Kill the process of a domain whose daemon is gone, if it is ours and still that domain's.

    Without `pid` it is looked for.
    """
    found = process_of(name)
    if found is not None and pid in (None, found):
        with contextlib.suppress(OSError, DeadlineExceeded):
            os.kill(found, signal.SIGKILL)
            ended = Deadline(_KILL_SECONDS)
            ended.poll(lambda: process_of(name) != found, step="waiting for QEMU to end", interval=0.05)


def seccomp_of(pid: int) -> int | None:
    """Return the mode of the process's system call filter, 0 for none (proc(5), `status`), or None."""
    with contextlib.suppress(OSError, ValueError):
        for line in Path(f"/proc/{pid}/status").read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("Seccomp:"):
                return int(line.split()[1])
    return None

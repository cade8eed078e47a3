"""Descriptions of kept machines, for people and for programs."""

from __future__ import annotations

import argparse
import json
import shlex
import sys
import time
from typing import TYPE_CHECKING

from harness.util.language import localized, tr

if TYPE_CHECKING:
    from kola.keep.record import Kept


def add_name(parser: argparse.ArgumentParser, *, optional: bool = True) -> None:
    parser.add_argument(
        "name",
        metavar="NAME",
        nargs="?" if optional else None,
        default=None,
        help="a machine as kola ps lists it; the latest if left out"
        if optional
        else "a machine as kola ps lists it, or `latest`",
    )


def tell(text: str) -> None:
    """Say something in the user's language, on standard error."""
    print(localized(text), file=sys.stderr, flush=True)


def introduce(machine: Kept) -> str:
    """Return a line about a machine that has just become ready."""
    until = time.strftime("%H:%M", time.localtime(machine.ends))
    ways = f"kola ssh {machine.name}, kola console {machine.name}, kola stop {machine.name}"
    return tr(
        "{name}: {build} ({how}), until {time}; {ways}",
        name=machine.name,
        build=machine.build,
        how=machine.how,
        time=until,
        ways=ways,
    )


def as_json(machine: Kept) -> str:
    """Return a line for programs. `public_ip` and `output_dir` are the Go kola's names."""
    from kola.keep.enter import ssh_options

    entry = machine.ssh
    content = {
        "name": machine.name,
        "state": str(machine.state),
        "build": machine.build,
        "arch": machine.arch,
        "how": machine.how,
        "host": machine.host,
        "test": machine.test,
        "pid": machine.pid,
        "memory_mib": machine.memory_mib,
        "started": round(machine.started, 3),
        "ends": round(machine.ends, 3),
        "ssh": None
        if entry is None
        else {
            "host": entry.address,
            "port": entry.port,
            "user": entry.user,
            "key_file": str(entry.key_file),
            "known_hosts": str(entry.known_hosts) if entry.known_hosts is not None else None,
            "command": shlex.join(["ssh", *ssh_options(machine), f"{entry.user}@{entry.address}"]),
        },
        "console": str(machine.console),
        "directory": str(machine.logs) if machine.logs is not None else None,
        "public_ip": f"{entry.address}:{entry.port}" if entry is not None else None,
        "output_dir": str(machine.logs) if machine.logs is not None else None,
    }
    return json.dumps(content, ensure_ascii=False)


def span(seconds: float) -> str:
    """Format a duration in its two largest units: `3h07m`, `12m`, `40s`."""
    whole = max(0, int(seconds))
    if whole < 60:
        return f"{whole}s"
    hours, minutes = divmod(whole // 60, 60)
    return f"{hours}h{minutes:02}m" if hours else f"{minutes}m"

"""List the machines that are kept."""

from __future__ import annotations

import argparse
import time
from typing import TYPE_CHECKING

from harness.util.language import tr
from kola.cli.kept import as_json, span
from kola.cli.table import aligned
from kola.run.parser import Switch

if TYPE_CHECKING:
    from kola.keep.record import Kept

HELP = "list the machines that are kept"
EXAMPLES = (
    "kola ps                          # name, age and time left of each",
    "kola ps --json | jq -r .ssh.port # one JSON object a line",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action=Switch, help="print a JSON line for each")


def run(args: argparse.Namespace) -> int:
    from kola.keep.register import kept_machines

    machines = kept_machines()
    if args.json:
        for machine in machines:
            print(as_json(machine))
    else:
        print(aligned([_header(), *(_row(machine) for machine in machines)]))
    return 0


def _header() -> tuple[str, ...]:
    return (
        *(tr("NAME"), tr("STATE"), tr("AGE"), tr("LEFT"), tr("HOW"), tr("HOST")),
        *(tr("MEMORY"), "SSH", tr("BUILD"), tr("KEPT FOR")),
    )


def _row(machine: Kept) -> tuple[str, ...]:
    now = time.time()
    entry = machine.ssh
    return (
        machine.name,
        str(machine.state),
        span(now - machine.started),
        span(machine.ends - now),
        machine.how or "-",
        machine.host or "-",
        f"{machine.memory_mib} MiB",
        f"{entry.user}@{entry.address}:{entry.port}" if entry is not None else "-",
        machine.build,
        machine.test or "-",
    )

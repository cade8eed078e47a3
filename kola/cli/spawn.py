"""Start machines and open a shell in the first one.

They end with the shell, or with --detach they stay.
"""

from __future__ import annotations

import argparse

from kola.cli import spawnargs
from kola.run.argtypes import whole
from kola.run.parser import Switch

SHOWN = (
    *("--nodecount", "--detach", "--ssh-command"),
    *("--qemu-image", "--ignition", "--memory"),
)
HELP = "start machines and open a shell in one"
EXAMPLES = (
    "kola spawn -B my.bu -D 10G      # with this config, and a second disk",
    "kola spawn --detach -c 3        # three on one network; kola ssh m1",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("how it goes on")
    group.add_argument(
        "-c", "--nodecount", type=whole(1, 100, "a number of machines"), default=1, metavar="N",
        help="several: node1, node2 … on a private network",
    )  # fmt: skip
    group.add_argument("-t", "--detach", action=Switch, help="leave them running, and print their names")
    group.add_argument("-s", "--shell", "--no-shell", action=Switch, default=True, help="open a shell (yes)")
    group.add_argument("-x", "--ssh-command", metavar="COMMAND", help="run this instead of a shell")
    group.add_argument("--console", action=Switch, help="show the serial console from the first line instead")
    group.add_argument("--idle", action=Switch, help="open nothing, and wait for Ctrl-C")
    group.add_argument("--reconnect", action=Switch, help="come back after a reboot")
    group.add_argument(
        "-r", "--remove", "--no-remove", action=Switch, default=True, help="end them at last (yes)"
    )
    spawnargs.add_lifetime(group)
    group.add_argument("--json-info", action=Switch, help="print a JSON line for each machine")
    group.add_argument(
        "--json-info-fd", type=whole(1, 1023, "a file descriptor"), metavar="FD", help="the same, to FD"
    )
    spawnargs.add_subject(parser)
    spawnargs.add_config(parser)
    hardware = spawnargs.add_hardware(parser)
    spawnargs.add_cold(hardware)
    spawnargs.add_platform(parser)


def run(args: argparse.Namespace) -> int:
    """Return the exit status of the shell or of the command; 0 without one."""
    from kola.cli.attended import spawn  # which takes longer to import than `kola --help` takes

    return spawn(args)

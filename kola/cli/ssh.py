"""Open a shell in a kept machine, or run a command there, with the machine's own key."""

from __future__ import annotations

import argparse

from kola.cli.kept import add_name
from kola.run.parser import Switch

HELP = "open a shell in a kept machine, or run a command there"
EXAMPLES = (
    "kola ssh                          # into the youngest machine",
    "kola ssh m2 systemctl --failed    # the command's exit status is kola's",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--reconnect", action=Switch, help="come back after a reboot")
    parser.add_argument("-t", "--terminal", action=Switch, help="give the command a terminal")
    add_name(parser)
    parser.add_argument(
        "command", metavar="COMMAND", nargs=argparse.REMAINDER, help="run by the shell there, as ssh has it"
    )


def run(args: argparse.Namespace) -> int:
    """Return the exit status of the command or of the shell; 255 when the connection was lost."""
    from kola.keep.enter import become, shell, ssh_command
    from kola.keep.register import find

    kept = find(args.name)
    command = args.command[1:] if args.command[:1] == ["--"] else args.command
    if not args.reconnect:
        become(ssh_command(kept, command, terminal=args.terminal))
    return shell(kept, command, reconnect=True)

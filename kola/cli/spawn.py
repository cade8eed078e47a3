"""Start machines and open a shell in the first one. They end with the shell, or with --detach they stay."""

from __future__ import annotations

import argparse
import sys
import time

from harness.errors import ConfigError
from harness.util.paths import require_cache
from kola.cli import spawnargs
from kola.cli.kept import as_json, introduce, tell
from kola.keep.enter import console, shell
from kola.keep.options import SpawnOptions
from kola.keep.record import Kept
from kola.keep.start import Started
from kola.run.argtypes import whole
from kola.run.parser import Switch

HELP = "start machines and open a shell in one"
EXAMPLES = (
    "kola spawn -B my.bu -D 10G      # with this config, and a second disk",
    "kola spawn --detach -c 3        # three on one network; kola ssh m1 … kola stop --all",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("how it goes on")
    group.add_argument(
        "-c", "--nodecount", type=whole(1, 100, "a number of machines"), default=1, metavar="N",
        help="N machines; several are node1, node2 … on a private network",
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
    spawnargs.add_hardware(parser)
    spawnargs.add_platform(parser)


def run(args: argparse.Namespace) -> int:
    """Return the exit status of the shell or of the command; 0 without one."""
    require_cache()
    options = SpawnOptions.of(args)
    attended = args.shell and not (args.detach or args.idle or args.ssh_command)
    if attended and not sys.stdin.isatty() and not args.console:
        raise ConfigError(
            "a shell needs a terminal, and standard input is none",
            hint="add --detach, --idle, or -x COMMAND",
        )
    began = time.monotonic()
    with Started(options.order(tell)) as started:
        machines = started.machines(tell)
        _inform(machines, args, time.monotonic() - began)
        if args.detach:
            started.let_go()
            return 0
        try:
            return _attend(machines[0], started, args)
        finally:
            if not args.remove:
                started.let_go()


def _attend(first: Kept, started: Started, args: argparse.Namespace) -> int:
    if args.idle:
        tell("idle; Ctrl-C ends it")
        started.wait()
    elif args.ssh_command:
        return shell(first, [args.ssh_command], reconnect=args.reconnect)
    elif args.console:
        console(first)
    elif args.shell:
        return shell(first, reconnect=args.reconnect)
    return 0


def _inform(machines: list[Kept], args: argparse.Namespace, seconds: float) -> None:
    for machine in machines:
        tell(introduce(machine))
    tell(f"ready after {seconds:.1f} s")
    lines = "".join(f"{as_json(machine)}\n" for machine in machines)
    if args.json_info:
        sys.stdout.write(lines)
    elif args.detach:
        print(*(machine.name for machine in machines), sep="\n")
    sys.stdout.flush()
    if args.json_info_fd is not None:
        try:
            with open(args.json_info_fd, "w", encoding="utf-8", closefd=False) as target:
                target.write(lines)
        except OSError as error:
            raise ConfigError(
                f"cannot write to descriptor {args.json_info_fd}: {error.strerror}", hint="--json-info-fd"
            ) from None

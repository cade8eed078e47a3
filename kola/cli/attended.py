"""Machines of `kola spawn`: their start, and the shell, command or console that they are started for."""

from __future__ import annotations

import argparse
import sys
import time

from harness.errors import ConfigError
from harness.util.paths import require_cache, require_state
from kola.cli.kept import as_json, introduce, tell
from kola.keep.enter import console, shell
from kola.keep.options import SpawnOptions
from kola.keep.record import Kept
from kola.keep.start import Started


def spawn(args: argparse.Namespace) -> int:
    """Return the exit status of the shell or of the command; 0 without one."""
    require_cache()
    require_state()
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

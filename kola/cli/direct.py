"""The machine of `kola qemuexec`, and the console or shell that it is started for."""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from pathlib import Path

from harness.errors import ConfigError
from harness.machine.spec import HostDirectory
from harness.platform.choose import choose
from harness.util.ansi import is_dumb
from harness.util.paths import require_cache, require_state
from kola.cli.kept import introduce, tell
from kola.keep.enter import await_ssh, console, shell
from kola.keep.options import SpawnOptions
from kola.keep.start import Started
from kola.run.selection import DEFAULT_PLATFORM
from kola.run.subject import architecture

DEVSHELL_NAME = "nosa-devsh"
WORKDIR_MOUNT = "/var/mnt/workdir"


def qemuexec(args: argparse.Namespace) -> int:
    """Return the exit status of the shell or of the command; 0 after a console."""
    require_cache()
    require_state()
    if args.devshell and not sys.stdin.isatty():
        raise ConfigError(
            "--devshell needs a terminal, and standard input is none", hint="-x COMMAND needs none"
        )
    by_ssh = bool(args.ssh_command) or (args.devshell and not args.devshell_console)
    with Started(_options(args).order(tell)) as started:
        (machine,) = started.machines(tell)
        tell(introduce(machine))
        if not by_ssh:
            console(machine)
            return 0
        await_ssh(machine, show=sys.stderr.isatty() and not is_dumb())
        if args.ssh_command:
            return shell(machine, [args.ssh_command])
        return shell(machine, reconnect=True)


def _options(args: argparse.Namespace) -> SpawnOptions:
    options = SpawnOptions.of(args)
    machine = replace(options.machine, qemu_arg=(*options.machine.qemu_arg, *args.qemu_words))
    if args.auto_cpus:
        platform = choose(DEFAULT_PLATFORM, architecture(options.subject))
        machine = replace(machine, qemu_cpus=platform.capacity().cpus)
    if args.devshell:
        shown = HostDirectory(options.subject.directory or Path.cwd(), WORKDIR_MOUNT)
        machine = replace(machine, qemu_bind_ro=(*machine.qemu_bind_ro, shown))
    return replace(
        options,
        machine=machine,
        hostname=options.hostname or (DEVSHELL_NAME if args.devshell else ""),
        autologin=bool(args.add_ignition) or args.devshell,
        console=True,
    )

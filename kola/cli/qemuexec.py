"""Start one machine with its console here, or with --devshell a shell in it.

It takes the flags of Go's kola. The machine ends with the console or the shell. What follows -- goes to QEMU.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from pathlib import Path

from harness.errors import ConfigError
from harness.machine.spec import HostDirectory
from harness.platform.choose import choose
from harness.util.paths import require_cache
from kola.cli import spawnargs
from kola.cli.kept import introduce, tell
from kola.keep.enter import await_ssh, console, shell
from kola.keep.options import SpawnOptions
from kola.keep.start import Started
from kola.run.parser import Switch
from kola.run.selection import DEFAULT_PLATFORM
from kola.run.subject import architecture

HELP = "start one machine with its console here"
EXAMPLES = (
    "kola qemuexec --devshell -m 2048  # a shell, with the work directory mounted",
    "kola qemuexec --qemu-image my.qcow2 --kargs quiet -- -smbios type=1,serial=7",
)
SHOWN = (
    *("--devshell", "--devshell-console", "--ssh-command", "--add-ignition"),
    *("--qemu-image", "--ignition", "--memory", "--disk", "--kargs"),
)
LIKE = "spawn"

DEVSHELL_NAME = "nosa-devsh"
WORKDIR_MOUNT = "/var/mnt/workdir"
AUTOLOGIN = "autologin"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("how it is entered")
    group.add_argument("--devshell", action=Switch, help="a shell once it is up, and after each reboot")
    group.add_argument("-c", "--devshell-console", action=Switch, help="with --devshell: the console instead")
    group.add_argument("-x", "--ssh-command", metavar="COMMAND", help="run this over SSH, and end")
    group.add_argument(
        "--add-ignition", action="append", default=[], choices=[AUTOLOGIN], metavar=AUTOLOGIN,
        help="a login on the console without a password",
    )  # fmt: skip
    group.add_argument("-U", "--usernet", action=Switch, help="user-mode network (it always is)")
    spawnargs.add_lifetime(group)
    spawnargs.add_subject(parser)
    spawnargs.add_config(parser)
    hardware = spawnargs.add_hardware(parser)
    hardware.add_argument("--auto-cpus", action=Switch, help="as many CPUs as there are here")
    parser.add_argument("qemu_words", metavar="QEMU-ARG", nargs="*", help="after --: more arguments for QEMU")


def run(args: argparse.Namespace) -> int:
    """Return the exit status of the shell or of the command; 0 after a console."""
    require_cache()
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
        await_ssh(machine, show=sys.stderr.isatty())
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
        autologin=AUTOLOGIN in args.add_ignition or args.devshell,
        console=True,
    )

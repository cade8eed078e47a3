"""Start one machine with its console here, or with --devshell a shell in it.

It takes the flags of Go's kola. The machine ends with the console or the shell. What follows -- goes to QEMU.
"""

from __future__ import annotations

import argparse

from kola.cli import spawnargs
from kola.run.argtypes import path
from kola.run.parser import Switch

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
    spawnargs.add_cold(hardware)
    hardware.add_argument(
        "--netboot", default="", metavar="FILE", help="boot from the network: this file, over TFTP, or a URL"
    )
    hardware.add_argument(
        "--netboot-dir",
        type=path,
        metavar="DIR",
        help="what TFTP serves; else the directory of the file",
    )
    hardware.add_argument("--auto-cpus", action=Switch, help="as many CPUs as there are here")
    parser.add_argument("qemu_words", metavar="QEMU-ARG", nargs="*", help="after --: more arguments for QEMU")


def run(args: argparse.Namespace) -> int:
    """Return the exit status of the shell or of the command; 0 after a console."""
    from kola.cli.direct import qemuexec  # which takes longer to import than `kola --help` takes

    return qemuexec(args)

"""The flags of `kola run`. `pytest --kola "…"` takes the same ones."""

from __future__ import annotations

import argparse
from pathlib import Path

from kola.select.options import add_selection_arguments


def add_command_arguments(parser: argparse.ArgumentParser) -> None:
    """All of `kola run`: what a plain pytest session takes, and what takes more than one session."""
    add_run_arguments(parser)
    parser.add_argument(
        "--verify-clones",
        action="store_true",
        help="run a sample of the tests that ran in clones once more, cold, and fail where they disagree",
    )


def add_run_arguments(parser: argparse.ArgumentParser) -> None:
    """Selection, machine, output and behaviour of a run."""
    add_selection_arguments(parser)
    run = parser.add_argument_group("the run")
    run.add_argument("-j", "--parallel", default="1", metavar="N|auto", help="how many tests at once")
    run.add_argument("--output-dir", type=Path, metavar="DIR", help="where results go")
    run.add_argument("--tapfile", type=Path, metavar="FILE", help="write the TAP report here as well")
    run.add_argument(
        "--on-warn-failure-exit-77",
        action="store_true",
        help="exit with 77 when only tests failed whose failure is a warning",
    )
    run.add_argument(
        "--extend-timeout-percentage", type=int, default=0, metavar="P", help="give tests P %% more time"
    )
    run.add_argument(
        "--boot",
        choices=["auto", "cold"],
        default="auto",
        help="auto: clone a booted template where the test allows; cold: boot for each test",
    )
    run.add_argument(
        "--isolation",
        choices=["machine", "bucket"],
        default="machine",
        help="machine: each external test has its own; bucket: those with exclusive: false share",
    )
    run.add_argument("--rerun", action="store_true", help="give failed tests a second go; a pass is `flaky`")
    run.add_argument(
        "--ssh-on-test-failure", action="store_true", help="keep a failed machine and say how to enter"
    )
    run.add_argument("--allure", action="store_true", help="write Allure results to OUTPUT/reports/allure")
    run.add_argument("-v", "--verbose", action="store_true", help="show each test's output as it ends")
    run.add_argument("--pytest-args", default="", metavar="ARGS", help="further arguments for pytest")
    build = parser.add_argument_group("what is tested")
    build.add_argument("--build", default="latest", metavar="ID", help="build id, latest, or -1, -2 …")
    build.add_argument("--append-ignition", action="append", default=[], type=Path, metavar="FILE")
    build.add_argument("--append-butane", action="append", default=[], type=Path, metavar="FILE")
    build.add_argument(
        "--debug-systemd-unit", action="append", default=[], metavar="UNIT", help="log of it at debug level"
    )
    add_qemu_arguments(parser)


def add_qemu_arguments(parser: argparse.ArgumentParser) -> None:
    """How machines are made; also of spawn and qemuexec."""
    qemu = parser.add_argument_group("machines")
    qemu.add_argument("--qemu-image", type=Path, metavar="FILE", help="a disk image instead of a build")
    qemu.add_argument("--qemu-firmware", metavar="KIND", help="bios, uefi or uefi-secure")
    qemu.add_argument("--qemu-size", metavar="[+]SIZE", help="size of the primary disk")
    qemu.add_argument("--qemu-memory", type=int, metavar="MIB")
    qemu.add_argument("--qemu-cpus", type=int, default=1, metavar="N")
    qemu.add_argument("--qemu-multipath", action="store_true", help="primary disk on two paths")
    qemu.add_argument("--qemu-native-4k", action="store_true", help="4096-byte sectors")
    qemu.add_argument("--qemu-512e", action="store_true", help="512-byte sectors on a 4096-byte disk")
    qemu.add_argument("--qemu-nvme", action="store_true", help="primary disk on NVMe")
    qemu.add_argument(
        "--qemu-swtpm",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="a TPM where swtpm is installed",
    )
    qemu.add_argument("--qemu-bind-ro", action="append", default=[], metavar="HOST,GUEST")
    qemu.add_argument(
        "--qemu-arg", action="append", default=[], metavar="ARG", help="one more argument for QEMU"
    )

"""Run the bank of upgrade tests: from an older build to the one under test."""

from __future__ import annotations

import argparse

from kola.run.arguments import add_command_arguments, add_parent_arguments
from kola.run.options import UPGRADE, RunOptions

HELP = "test the upgrade from an older build"
EXAMPLES = (
    "kola run-upgrade                        # from the build before the latest",
    "kola run-upgrade --qemu-image old.qcow2 # from any older image",
)
SHOWN = (
    *("--find-parent", "--parent", "--qemu-image-dir"),
    *("--tag", "--workdir", "--qemu-image", "--parallel", "--output-dir"),
)
LIKE = "run"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_command_arguments(parser)
    add_parent_arguments(parser)


def run(args: argparse.Namespace) -> int:
    from kola.cli.execute import run_tests  # which takes longer to import than `kola --help` takes

    return run_tests(RunOptions.of(args, command=UPGRADE))

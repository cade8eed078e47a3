"""Choose tests, run them in parallel against a build, and end with a verdict."""

from __future__ import annotations

import argparse

from kola.run.arguments import add_command_arguments
from kola.run.options import RunOptions

HELP = "run tests against a build"
EXAMPLES = (
    "kola run -j auto 'nestos.*'             # the build here, or the reference OS",
    "kola run --workdir none -E . my-test --keep-on-failure",
)
SHOWN = (
    *("--tag", "--exttest", "--no-net", "--denylist-test", "--sharding"),
    *("--workdir", "--build", "--qemu-image"),
    *("--parallel", "--boot", "--rerun"),
    *("--keep-on-failure", "--ssh-on-test-failure"),
    *("--output-dir", "--verbose", "--junitxml"),
    *("--qemu-firmware", "--qemu-memory", "--qemu-cpus", "--append-butane"),
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_command_arguments(parser)


def run(args: argparse.Namespace) -> int:
    from kola.cli.execute import run_tests  # which takes longer to import than `kola --help` takes

    return run_tests(RunOptions.of(args))

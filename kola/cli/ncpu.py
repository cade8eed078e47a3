"""Print the number of CPUs that tests may use, capped by the control group."""

from __future__ import annotations

import argparse

from harness.util.host import cpus

HELP = "print the number of CPUs, capped by the cgroup"
EXAMPLES = (
    "kola ncpu",
    "systemd-run --scope -p CPUQuota=100% kola ncpu   # as in a CI job with one CPU",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add nothing: the command has no arguments."""


def run(args: argparse.Namespace) -> int:
    print(cpus())
    return 0

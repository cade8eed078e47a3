"""`kola run`: choose tests, run them in parallel, print a verdict."""

from __future__ import annotations

import argparse
import os
import shlex
import sys

import pytest

from harness.platform.qemu.accel import proven
from kola.cli.handover import HandOver
from kola.cli.verify import verify_clones
from kola.external.plugin import ALL_TESTS
from kola.plugin.recorder import Recorder
from kola.run.arguments import add_command_arguments
from kola.run.plan import RunPlan
from kola.run.resolve import Resolved, resolve
from kola.schedule.budget import workers
from kola.select.catalog import own_root

USAGE = 2


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = subparsers.add_parser("run", help="run tests against a build", description=__doc__)
    add_command_arguments(parser)
    parser.set_defaults(func=run)


def run(args: argparse.Namespace) -> int:
    """The exit code: 0 passed, 1 failed, 2 wrong input, 77 only warnings (on request)."""
    resolved = resolve(args, tell=_tell)
    plan = resolved.plan
    accelerator = proven(plan.arch)
    if accelerator.note:
        _tell(f"accelerator: {accelerator.name}, since {accelerator.note}; deadlines ×{accelerator.scale}")
    count = workers(args.parallel, plan)
    verifies = bool(getattr(args, "verify_clones", False))
    handed = HandOver(args, resolved, closes=not verifies)
    status = _pytest(args, handed, count)
    recorder = handed.recorder
    if recorder is None or recorder.run is None:
        return USAGE if status == pytest.ExitCode.USAGE_ERROR else 1
    if verifies:

        def again(sample: Resolved) -> Recorder | None:
            second = HandOver(args, sample, closes=False, timed=False)
            _pytest(args, second, min(count, len(sample.plan.tests)))
            return second.recorder

        verify_clones(recorder, again, resolved)
        recorder.close()
    return int(recorder.run.exit_code)


def _pytest(args: argparse.Namespace, handed: HandOver, count: int) -> int:
    resolved = handed.resolved
    plan, reports = resolved.plan, resolved.output.reports
    if not plan.tests:
        count = 1
    # fmt: off
    argv = [
        "-p", "no:terminalreporter",
        "-p", "no:cacheprovider",
        "-p", "kola.plugin",
        "--strict-markers",
        "-n", str(count),
        "--max-worker-restart", str(2 * max(1, len(plan.tests))),
        "--tb", "short",
        "--junitxml", str(reports / "junit.xml"),
        "-o", "junit_family=xunit1",
        "-o", "junit_logging=all",
        "-o", "junit_suite_name=kola",
        "--basetemp", str(plan.output / "tmp"),
        "--rootdir", str(own_root().parent),
        "-c", os.devnull,
    ]
    # fmt: on
    if args.allure:
        argv += ["--alluredir", str(reports / "allure")]
    argv += shlex.split(args.pytest_args)
    argv += _paths(plan, resolved)
    return int(pytest.main(argv, plugins=[handed]))


def _paths(plan: RunPlan, resolved: Resolved) -> list[str]:
    """The files that hold chosen tests, so that nothing else is imported; one for all external tests."""
    origins = resolved.chosen.origins
    sources = {
        info.source
        for name in plan.tests
        if (info := resolved.infos.get(origins.get(name, name.partition("[")[0]))) is not None
        and info.source is not None
    }
    root = own_root()
    return sorted({str(source if source.is_relative_to(root) else ALL_TESTS) for source in sources})


def _tell(message: str) -> None:
    print(message, file=sys.stderr, flush=True)

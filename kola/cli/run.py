"""`kola run`: choose tests, run them in parallel, print a verdict."""

from __future__ import annotations

import argparse
import os
import shlex
import sys

import pytest

from harness.platform.qemu.accel import proven
from kola.external.plugin import ALL_TESTS
from kola.plugin.recorder import Recorder
from kola.run.arguments import add_run_arguments
from kola.run.plan import RunPlan
from kola.run.resolve import Resolved, resolve
from kola.schedule.budget import workers
from kola.select.catalog import own_root

USAGE = 2


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = subparsers.add_parser("run", help="run tests against a build", description=__doc__)
    add_run_arguments(parser)
    parser.set_defaults(func=run)


def run(args: argparse.Namespace) -> int:
    """The exit code: 0 passed, 1 failed, 2 wrong input, 77 only warnings (on request)."""
    resolved = resolve(args, tell=_tell)
    plan = resolved.plan
    accelerator = proven(plan.arch)
    if accelerator.note:
        _tell(f"accelerator: {accelerator.name}, since {accelerator.note}; deadlines ×{accelerator.scale}")
    count = workers(args.parallel, plan)
    return _pytest(args, resolved, count)


def _pytest(args: argparse.Namespace, resolved: Resolved, count: int) -> int:
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
    hand_over = _HandOver(args, resolved)
    status = pytest.main(argv, plugins=[hand_over])
    recorder = hand_over.recorder
    if recorder is None or recorder.run is None:
        return USAGE if status == pytest.ExitCode.USAGE_ERROR else 1
    return int(recorder.run.exit_code)


def _paths(plan: RunPlan, resolved: Resolved) -> list[str]:
    """The files that hold chosen tests, so that nothing else is imported; one for all external tests."""
    origins = resolved.chosen.origins
    sources = {
        info.source
        for name in plan.tests
        if (info := resolved.infos.get(origins.get(name, name))) is not None and info.source is not None
    }
    root = own_root()
    return sorted({str(source if source.is_relative_to(root) else ALL_TESTS) for source in sources})


class _HandOver:
    """Gives the plugin what was resolved here, and finds its recorder again."""

    def __init__(self, args: argparse.Namespace, resolved: Resolved) -> None:
        self._args = args
        self._resolved = resolved
        self._config: pytest.Config | None = None

    @pytest.hookimpl(tryfirst=True)
    def pytest_configure(self, config: pytest.Config) -> None:
        self._config = config
        config.option.kola_resolved = self._resolved
        config.option.kola_warn_exits_77 = self._args.on_warn_failure_exit_77
        config.option.kola_tapfile = self._args.tapfile
        config.option.kola_flags = _flags(self._args)

    @property
    def recorder(self) -> Recorder | None:
        if self._config is None:
            return None
        found = self._config.pluginmanager.get_plugin("kola-recorder")
        return found if isinstance(found, Recorder) else None


def _flags(args: argparse.Namespace) -> list[str]:
    """What was typed besides patterns, for the command that runs one test again.

    Without `--output-dir`: running again must not erase what is being looked into.
    """
    words = iter(sys.argv[2:])
    kept = []
    for word in words:
        if word == "--output-dir":
            next(words, None)
        elif not word.startswith("--output-dir=") and word not in args.patterns:
            kept.append(word)
    return kept


def _tell(message: str) -> None:
    print(message, file=sys.stderr, flush=True)

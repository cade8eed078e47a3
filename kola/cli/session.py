"""The pytest session of a run: its arguments, and an environment without foreign settings."""

from __future__ import annotations

import os
import shlex

import pytest

from kola.cases.catalog import collected_by_pytest, own_root
from kola.cli.handover import HandOver
from kola.plugin.external.collection import ALL_TESTS
from kola.plugin.xdist.forked import ForkedWorkers
from kola.plugin.xdist.forkserver import ForkServer
from kola.run.resolve import Resolved

_FOREIGN = "PYTEST_"
"""Prefix of environment variables that are meant for other projects' sessions, and would change our
verdicts.
"""


def run_pytest(handed: HandOver, workers: int, forks: ForkServer | None = None) -> int:
    """Run the session, whose workers `forks` starts if given, and return pytest's exit status."""
    for name in [name for name in os.environ if name.startswith(_FOREIGN)]:
        del os.environ[name]
    resolved = handed.resolved
    argv = _arguments(resolved, workers if resolved.plan.tests else 1)
    return int(pytest.main(argv, plugins=[handed, *([ForkedWorkers(forks)] if forks is not None else [])]))


def _arguments(resolved: Resolved, workers: int) -> list[str]:
    plan, options, reports = resolved.plan, resolved.options, resolved.output.reports
    # fmt: off
    argv = [
        "-p", "no:terminalreporter",
        "-p", "no:cacheprovider",
        "-p", "kola.plugin",
        "--strict-markers",
        "-n", str(workers),
        "--max-worker-restart", str(2 * max(1, len(plan.tests))),
        "--tb", "short",
        "--basetemp", str(plan.output / "tmp"),
        "--rootdir", str(own_root().parent),
        "-c", os.devnull,
    ]
    # fmt: on
    if options.allure or options.alluredir:
        argv += ["--alluredir", str(options.alluredir or reports / "allure")]
    return [*argv, *shlex.split(options.pytest_args), *_paths(resolved)]


def _paths(resolved: Resolved) -> list[str]:
    """Return the files that hold chosen tests, so that nothing else is imported; one for all other tests."""
    origins = resolved.chosen.origins
    sources = {
        info.source
        for name in resolved.plan.tests
        if (info := resolved.infos.get(origins.get(name, name))) is not None and info.source is not None
    }
    return sorted({str(source if collected_by_pytest(source) else ALL_TESTS) for source in sources})

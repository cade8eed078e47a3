"""Execution of a run: one pytest session, or two with --verify-clones."""

from __future__ import annotations

import os
import sys
import tempfile
from dataclasses import replace

import pytest

from harness.errors import ConfigError
from harness.machine.boot import DiskImage
from harness.platform.base import SCALE_VARIABLE
from harness.platform.choose import choose_fleet
from harness.util.language import localized
from kola.cli import streams
from kola.cli.handover import HandOver
from kola.cli.session import run_pytest
from kola.cli.verify import verify_clones
from kola.plugin.recorder import Recorder
from kola.plugin.xdist.forkserver import ForkServer
from kola.run.options import RunOptions
from kola.run.resolve import Resolved, resolve
from kola.schedule.budget import workers


def run_tests(options: RunOptions) -> int:
    """Run the tests and return the exit status: 0 passed, 1 failed, 2 wrong input, 77 only warnings (on
    request).

    From here on the run continues even if its console is lost.
    """
    streams.outlive()
    resolved = resolve(options, tell=_tell)
    tempfile.gettempdir()  # found once for all workers: the search for it writes a file
    forks = ForkServer.start()  # now that all is imported, and before the first thread
    try:
        return _run(options, resolved, forks)
    finally:
        if forks is not None:
            forks.close()


def _run(options: RunOptions, resolved: Resolved, forks: ForkServer | None) -> int:
    plan = resolved.plan
    fleet = choose_fleet(plan.platform, plan.arch, plan.hosts, network=plan.libvirt_network)
    scale = max(member.platform.scale for member in fleet.members)
    os.environ[SCALE_VARIABLE] = str(scale)  # so that workers do not measure again while guests run
    for member in fleet.members:
        if member.platform.note:
            where = f" of {member.name}" if len(fleet.members) > 1 else ""
            _tell(f"accelerator{where}: {member.platform.note}")
    members = fleet.prepare(DiskImage(plan.image, plan.image_format), _tell)
    if plan.hosts:
        plan = replace(plan, hosts=tuple(member.entry for member in members))
        resolved = replace(resolved, plan=plan)
    count = workers(options.parallel, plan, members)
    handed = HandOver(resolved, closes=not options.verify_clones)
    status = run_pytest(handed, count, forks)
    recorder = handed.recorder
    if recorder is None or recorder.run is None:
        if status == pytest.ExitCode.USAGE_ERROR:
            raise ConfigError("pytest refused its arguments, as said above", hint="look at --pytest-args")
        return 1
    if options.verify_clones:

        def again(sample: Resolved) -> Recorder | None:
            second = HandOver(sample, closes=False, timed=False)
            run_pytest(second, min(count, len(sample.plan.tests)), forks)
            return second.recorder

        verify_clones(recorder, again, resolved)
        recorder.close()
    return int(recorder.run.exit_code)


def _tell(message: str) -> None:
    print(localized(message), file=sys.stderr, flush=True)

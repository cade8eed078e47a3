"""The ways into the machines of a test that is running or has just failed."""

from __future__ import annotations

import sys
from typing import Any

import pytest

from harness.errors import HarnessError
from harness.util.language import localized, tr
from kola.keep.enter import console, shell
from kola.keep.record import Kept
from kola.keep.register import kept_machines
from kola.keep.stop import stop
from kola.report.result import TestResult


def enter_failed(result: TestResult, config: pytest.Config, *, stay: bool) -> None:
    """Put the user into the machines of a failed test, one after the other.

    The run goes on when the last shell has ended. The machines end then, unless they are to stay.
    """
    capture: Any = config.pluginmanager.get_plugin("capturemanager")
    capture.suspend(in_=True)
    try:
        for kept in kept_machines():
            if kept.name in result.kept:
                _enter(kept, stay=stay)
    finally:
        capture.resume()


def _enter(kept: Kept, *, stay: bool) -> None:
    if stay:
        text = tr("{test} failed; this is its machine {name}. When you leave, it stays and the run goes on.")
    else:
        text = tr("{test} failed; this is its machine {name}. When you leave, it ends and the run goes on.")
    print(f"\n{text.format(test=kept.test, name=kept.name)}", file=sys.stderr, flush=True)
    try:
        if shell(kept) == 255:
            said = tr("{name} does not take the connection; its console:", name=kept.name)
            print(said, file=sys.stderr, flush=True)
            console(kept)
        if not stay:
            stop(kept)
    except HarnessError as error:
        print(f"kola: {localized(str(error))}", file=sys.stderr, flush=True)

"""An xdist worker that runs a test as soon as it is assigned, and dies with its controller."""

from __future__ import annotations

import ctypes
import os
import signal
from typing import Any

import pytest

_PR_SET_PDEATHSIG = 1

FIRST_WORKER = "gw0"
CONTROLLER = "kola_controller"
"""The key of a worker's input with the process id of the controller, which need not be its parent."""
STAYS = "kola_stays"
"""The key of a worker's output by which it says that it goes on to live, for the machines it keeps."""


def die_with_parent() -> None:
    """Make the kernel kill this process when its parent ends (prctl(2))."""
    _ask_to_be_killed()
    if os.getppid() == 1:
        os._exit(1)


def die_with(parent: int) -> None:
    """The same, for a process that knows its parent's id."""
    _ask_to_be_killed()
    if os.getppid() != parent:
        os._exit(1)


def _ask_to_be_killed() -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def run_without_prefetch(config: pytest.Config) -> None:
    """Replace xdist's main loop, which starts a test only once it holds the next one too.

    Ours requests the next test after the current one has ended: with `kola.schedule` no test waits behind
    another while a worker is idle.
    """
    interactor = _interactor(config)

    def run_one_test() -> None:
        index = interactor.nextitem_index
        interactor.item_index = index
        item = interactor.session.items[index]
        config.hook.pytest_runtest_protocol(item=item, nextitem=None)
        interactor.sendevent("runtest_protocol_complete", item_index=index, duration=0.0)
        interactor.nextitem_index = interactor.torun.get()

    interactor.run_one_test = run_one_test


def _interactor(config: pytest.Config) -> Any:
    for plugin in config.pluginmanager.get_plugins():
        if type(plugin).__name__ == "WorkerInteractor":
            return plugin
    raise RuntimeError("no xdist worker in this process")

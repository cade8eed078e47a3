"""The ends of machines that are kept."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from fleets import StandInHost, fleet_of

from harness.errors import DeadlineExceeded, HarnessError, InfrastructureError
from harness.machine.boot import DiskImage
from harness.machine.spec import MachineSpec
from kola.keep.keeper import Keeper, Promise
from kola.keep.register import kept_machines

SPEC = MachineSpec(DiskImage(Path("/image.qcow2")), network=False)


def machine(wait_exit: Callable[[object], None], closed: threading.Event, directory: Path) -> Any:
    instance = SimpleNamespace(spec=SPEC, wait_exit=wait_exit)
    return SimpleNamespace(how="cold", boot_id="", directory=directory, instance=instance, close=closed.set)


@pytest.mark.parametrize(
    "end",
    [
        None,
        DeadlineExceeded("waiting for the machine to power off", seconds=1),
        InfrastructureError("the connection to the daemon is lost", cause="host-lost"),
    ],
    ids=["power-off", "lifetime", "host-lost"],
)
def test_a_machine_that_has_ended_is_forgotten(
    end: HarnessError | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("XDG_STATE_HOME", "XDG_CACHE_HOME", "XDG_RUNTIME_DIR"):
        monkeypatch.setenv(name, str(tmp_path))
    monkeypatch.setattr("kola.keep.keeper.Doors", lambda *_, **__: SimpleNamespace(close=lambda: None))

    def wait_exit(_: object) -> None:
        if end is not None:
            raise end

    keeper, closed = Keeper(fleet_of(StandInHost())), threading.Event()
    try:
        (kept,) = keeper.promise(1, Promise("build", "x86_64", SPEC, 60))
        keeper.hold(kept, machine(wait_exit, closed, tmp_path))
        assert closed.wait(5)
        for thread in threading.enumerate():
            if thread.name == kept.name:
                thread.join(5)
        assert (keeper.names, kept_machines()) == ([], [])
    finally:
        keeper.close()

"""iSulad, on an image the machine made of its own programs. Runs with `--tag isula`, as in the Go kola."""

from __future__ import annotations

import pytest

from harness.ignition import additions
from harness.machine.machine import Machine
from testsuites.containers import ARCHIVE, IMAGE, Engine, check_exec_and_logs, check_run, prepared

CONFIG = prepared(f"/usr/bin/isula import {ARCHIVE} {IMAGE}", needs="isulad.service").merge(
    additions.unit("isulad.service", enabled=True)
)
pytestmark = [
    pytest.mark.kola(tags=["isula", "containers"], required_tag="isula"),
    pytest.mark.machine(ignition=CONFIG, boot="clone"),
]


@pytest.mark.kola(name="isula.base")
def test_base(machine: Machine) -> None:
    """iSulad is up, and runs a container."""
    isula = Engine(machine, "isula")
    state = machine.unit("isulad.service").active_state
    assert state == "active", f"isulad.service is {state}"
    assert "Images: 1" in isula("info").check().stdout
    check_run(isula)


@pytest.mark.kola(name="isula.workflow")
def test_workflow(machine: Machine) -> None:
    """Containers are listed, watched, entered and removed; images are removed."""
    isula = Engine(machine, "isula")
    check_exec_and_logs(isula)
    isula("rmi", IMAGE).check()
    assert IMAGE not in isula("images").check().stdout

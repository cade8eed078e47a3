"""Machines that a platform refuses skip their tests."""

from __future__ import annotations

import pytest

from harness.machine.boot import EmptyDisk
from harness.machine.spec import MachineSpec
from kola.plugin.refusals import refuse_machine


class Picky:
    name = "picky"

    def refuses(self, spec: MachineSpec) -> str:
        return "two CPUs are one too many" if spec.cpus > 1 else ""


def test_a_refused_machine_skips_the_test_with_the_reason() -> None:
    refuse_machine(Picky(), MachineSpec(EmptyDisk(1)))
    with pytest.raises(pytest.skip.Exception, match="not on picky: two CPUs"):
        refuse_machine(Picky(), MachineSpec(EmptyDisk(1), cpus=2))

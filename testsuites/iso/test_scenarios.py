"""The scenarios of the table."""

from __future__ import annotations

import pytest

from kola.cases.table import Row
from testsuites.iso.lab import Lab
from testsuites.iso.scenario import Scenario
from testsuites.iso.steps import Run


@pytest.mark.kola(table="scenarios.toml", tags=["iso"], architectures=["x86_64"], timeout="30m")
@pytest.mark.machine(memory_mib=2048)
def test_scenario(row: Row, lab: Lab) -> None:
    scenario = Scenario.of(row)
    lab.require(*scenario.artifacts())
    Run(scenario, lab).run()

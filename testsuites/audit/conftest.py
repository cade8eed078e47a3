"""Fixtures of the audits."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from harness.artifact import Distro
from harness.ignition import IgnitionConfig
from harness.machine.machine import Machine
from kola.facts.approvals import FILE as APPROVALS
from kola.facts.approvals import load_approvals
from kola.plugin.keys import STATE
from testsuites.audit.collection import Collection
from testsuites.audit.configured import Configured
from testsuites.audit.judging import Judge
from testsuites.audit.record import Record


@pytest.fixture
def judge(request: pytest.FixtureRequest, distro: Distro) -> Judge:
    """Judges findings by the run's profile, as strictly as the run was asked to."""
    return Judge(distro, strict=request.config.stash[STATE].plan.strict_profile)


@pytest.fixture
def configured(request: pytest.FixtureRequest, way_in: IgnitionConfig) -> Configured:
    """Differences from the build that the harness brings, or that the build's sources approve."""
    build = request.config.stash[STATE].plan.build()
    if build is None:
        return Configured.of(way_in)
    approvals = build.directory.parents[2] / "src/config" / APPROVALS
    return Configured.of(way_in).approved(load_approvals(approvals))


@pytest.fixture
def collection(
    request: pytest.FixtureRequest, new_machine: Callable[..., Machine], configured: Configured
) -> Collection:
    """Records of machines as they come, rebooted, and upgraded; each is collected once a run."""
    return Collection(request.config.stash[STATE].plan.output / "audit", new_machine, configured)


@pytest.fixture
def record(collection: Collection) -> Record:
    """The record of a machine as it comes."""
    return collection.record()

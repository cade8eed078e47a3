"""Fixtures for builds: the one under test, and the one an upgrade starts from."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from harness.artifact import Build
from kola.plugin.keys import STATE


@dataclass(frozen=True)
class Upgrade:
    """An upgrade. `parent` is the id of the build, or the name of the image, that machines start from."""

    parent: str
    target: Build


@pytest.fixture
def build(request: pytest.FixtureRequest) -> Build:
    """The build under test; where a bare image is tested, the test is skipped."""
    found = request.config.stash[STATE].plan.build()
    if found is None:
        pytest.skip("needs a build directory: a bare image is tested")
    return found


@pytest.fixture
def upgrade(request: pytest.FixtureRequest) -> Upgrade:
    """The upgrade under test; in other runs the test is skipped."""
    plan = request.config.stash[STATE].plan
    target = plan.build()
    if target is None or not plan.parent:
        pytest.skip("an upgrade test: run it with kola run-upgrade")
    return Upgrade(plan.parent, target)


__all__ = ["Upgrade", "build", "upgrade"]

"""What an upgrade test needs to know: where its machines start, and what they are to become."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from harness.artifact import Build
from kola.plugin.keys import STATE


@dataclass(frozen=True)
class Upgrade:
    """`parent` is the id of the build, or the name of the image, that machines start from."""

    parent: str
    target: Build


@pytest.fixture
def upgrade(request: pytest.FixtureRequest) -> Upgrade:
    """The upgrade under test; the test is skipped in runs that are not about one."""
    plan = request.config.stash[STATE].plan
    target = plan.build()
    if target is None or not plan.parent:
        pytest.skip("an upgrade test: run it with kola run-upgrade")
    return Upgrade(plan.parent, target)


__all__ = ["Upgrade", "upgrade"]

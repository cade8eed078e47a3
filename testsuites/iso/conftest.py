"""Fixtures of the scenarios."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from harness.artifact import Distro
from harness.ignition import IgnitionConfig
from harness.machine.machine import Machine
from harness.services import Services
from kola.plugin.keys import CONTEXT, STATE
from testsuites.iso.lab import Lab


@pytest.fixture
def lab(
    request: pytest.FixtureRequest,
    distro: Distro,
    services: Services,
    new_machine: Callable[..., Machine],
    way_in: IgnitionConfig,
    tmp_path: Path,
) -> Iterator[Lab]:
    """Media and machines for one scenario."""
    context, state = request.node.stash[CONTEXT], request.config.stash[STATE]
    with ExitStack() as owned:
        made = Lab(
            build=state.plan.build(),
            media=state.plan.live,
            arch=state.plan.arch,
            memory_mib=state.plan.defaults.memory_mib,
            distro=distro,
            services=services,
            new_machine=new_machine,
            way_in=way_in,
            directory=tmp_path,
            owned=owned,
            publish=context.publish,
            scale=state.pool.scale,
        )
        yield made

"""The fixtures for test authors."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from harness.artifact import Distro
from harness.ignition import IgnitionConfig
from harness.machine.machine import Machine
from harness.services import Services
from kola.plugin.keys import CONTEXT, STATE
from kola.plugin.needs import request_of
from kola.plugin.refusals import refuse_machine


@pytest.fixture
def new_machine(request: pytest.FixtureRequest) -> Callable[..., Machine]:
    """A function that returns one more machine.

    Its keywords are those of `@pytest.mark.machine` and override the test's own.

    With `wait=False` the machine is returned as soon as it is switched on.
    """
    item = request.node
    state, context = item.config.stash[STATE], item.stash[CONTEXT]

    def make(*, wait: bool = True, **overrides: Any) -> Machine:
        wanted = request_of(item, state.plan, **overrides)
        if context.services is not None:
            wanted = replace(wanted, spec=replace(wanted.spec, reachable=context.services.reachable()))
        refuse_machine(state.platform, wanted.spec)
        context.reserve_machine(wanted.spec)
        give: Callable[..., Machine] = state.pool.lease if wait else state.pool.start
        return give(wanted, context)

    return make


@pytest.fixture
def machine(new_machine: Callable[..., Machine]) -> Machine:
    """A machine of this test's own, booted and healthy."""
    return new_machine()


@pytest.fixture
def machines(
    request: pytest.FixtureRequest, new_machine: Callable[..., Machine]
) -> Callable[..., list[Machine]]:
    """A function: `machines(n)` returns n machines on a private network, where they are called `node1` and so
    on.

    Keywords are those of `new_machine`. The addresses are 10.99.0.1 and so on; the network has no route to
    the outside.
    """
    platform, context = request.config.stash[STATE].platform, request.node.stash[CONTEXT]

    if reason := platform.why_not_connect():
        pytest.skip(f"not on {platform.name}: {reason}")

    def make(count: int, **overrides: Any) -> list[Machine]:
        group = [new_machine(**overrides) for _ in range(count)]
        network = platform.private_network()
        context.owned.callback(network.close)
        network.connect(group)
        return group

    return make


@pytest.fixture
def services(request: pytest.FixtureRequest) -> Services:
    """Servers that this test's machines reach. They start before the machines and end with the test.

    Logs are kept in `services/` of the test's directory. See docs/services.md.
    """
    context = request.node.stash[CONTEXT]
    network = request.config.stash[STATE].platform.service_network()
    made = context.services = Services(context.directory / "services", network)
    context.owned.callback(made.close)
    return made


@pytest.fixture
def way_in(request: pytest.FixtureRequest) -> IgnitionConfig:
    """The harness's own additions to every machine's config, above all keys.

    A test needs them when its own config makes Ignition use another one instead.
    """
    return request.config.stash[STATE].pool.config(None)


@pytest.fixture
def distro(request: pytest.FixtureRequest) -> Distro:
    """The profile of the distribution under test."""
    return request.config.stash[STATE].plan.distro


__all__ = ["distro", "machine", "machines", "new_machine", "services", "way_in"]

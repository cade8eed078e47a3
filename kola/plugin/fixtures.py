"""The fixtures test authors use."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from dataclasses import replace
from typing import Any

import pytest

from harness.artifact import Distro
from harness.ignition import IgnitionConfig
from harness.machine.machine import Machine
from harness.platform.qemu.private import PrivateNetwork
from harness.services import Services
from kola.plugin.keys import CONTEXT, STATE
from kola.plugin.needs import request_of


@pytest.fixture
def new_machine(request: pytest.FixtureRequest) -> Callable[..., Machine]:
    """Calling it gives one more machine; keywords as of `@pytest.mark.machine`, over the test's own.

    With `wait=False` the machine is handed over as soon as it is switched on.
    """
    item = request.node
    state, context = item.config.stash[STATE], item.stash[CONTEXT]

    def make(*, wait: bool = True, **overrides: Any) -> Machine:
        wanted = request_of(item, state.plan, **overrides)
        if context.services is not None:
            wanted = replace(wanted, spec=replace(wanted.spec, reachable=context.services.reachable()))
        context.make_room(wanted.spec)
        give: Callable[..., Machine] = state.lessor.lease if wait else state.lessor.start
        return give(wanted, context)

    return make


@pytest.fixture
def machine(new_machine: Callable[..., Machine]) -> Machine:
    """A machine of this test's own, booted and well."""
    return new_machine()


@pytest.fixture
def machines(new_machine: Callable[..., Machine]) -> Iterator[Callable[..., list[Machine]]]:
    """`machines(n)` gives n machines on a network of their own, where they are `node1` … by name.

    Keywords as of `new_machine`; they have 10.99.0.1 … there, and no way to the outside.
    """
    with ExitStack() as networks:

        def make(count: int, **overrides: Any) -> list[Machine]:
            group = [new_machine(**overrides) for _ in range(count)]
            network = PrivateNetwork()
            networks.callback(network.close)
            network.connect(group)
            return group

        yield make


@pytest.fixture
def services(request: pytest.FixtureRequest) -> Iterator[Services]:
    """Servers that this test's machines reach: started before them, gone with the test.

    Logs are kept in `services/` of the test's directory. See docs/services.md.
    """
    context = request.node.stash[CONTEXT]
    with closing(Services(context.directory / "services")) as made:
        context.services = made
        yield made


@pytest.fixture
def way_in(request: pytest.FixtureRequest) -> IgnitionConfig:
    """What the harness adds to every machine's config, keys above all.

    A test needs it whose own config makes Ignition take another one instead.
    """
    return request.config.stash[STATE].lessor.config(None)


@pytest.fixture
def distro(request: pytest.FixtureRequest) -> Distro:
    """The profile of the distribution under test."""
    return request.config.stash[STATE].plan.distro


__all__ = ["distro", "machine", "machines", "new_machine", "services", "way_in"]

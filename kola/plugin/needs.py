"""The needs and templates of each test, passed to the process that schedules them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from harness.errors import ConfigError, HarnessError, InfrastructureError
from harness.machine.spec import GuestForward, MachineSpec, Reachable
from harness.platform.fleet import Fleet, Member
from harness.util.jsonfile import JsonFile
from kola.machines import MachinePool, MachineRequest, request_from_markers
from kola.plugin.keys import INFO
from kola.run.plan import RunPlan
from kola.schedule.need import Need
from kola.schedule.pending import Kind

_FILE = ".kinds.json"
_FORMAT = JsonFile(dict[str, Kind], "a record of what tests need")
_SERVICES = Reachable(forwards=(GuestForward("10.0.2.100", 80, "service"),))
_SEVERAL = 2
"""Number of machines assumed for a test that leases several without giving `count`."""


def request_of(item: pytest.Item, plan: RunPlan, **overrides: Any) -> MachineRequest:
    """Return the request of the test's machine markers, overridden by `overrides`. Raises ConfigError."""
    markers = [dict(mark.kwargs) for mark in item.iter_markers("machine")]
    line = item.location[1]
    return request_from_markers(
        plan.base_spec(),
        [*reversed(markers), overrides],
        source=item.path,
        line=line + 1 if line is not None else None,
    )


def need_of(item: pytest.Item, plan: RunPlan) -> Need:
    """Return the test's need: nothing for a test that is not kola's, or whose request is wrong."""
    info = item.stash.get(INFO, None)
    if info is None:
        return Need()
    own = getattr(item, "need", None)
    if own is not None:
        need: Need = own(plan)
        return need
    used = frozenset(getattr(item, "fixturenames", ()))
    try:
        request = request_of(item, plan)
    except (ConfigError, TypeError, ValueError, AttributeError):
        return Need()
    count = request.count or (_SEVERAL if "machines" in used else 1)
    if "new_machine" not in used:
        count = 0
    return Need.of(request.spec, count, ports=info.host_ports, tokens=info.tokens)


def templates_of(
    item: pytest.Item, plan: RunPlan, templates: Callable[[MachineRequest], tuple[str, ...]]
) -> tuple[str, ...]:
    """Return the templates of the machine requested by markers or metadata.

    Requests in code are unknown here.
    """
    own = getattr(item, "machine_request", None)
    if own is None and "new_machine" not in getattr(item, "fixturenames", ()):
        return ()
    try:
        return templates(own(plan) if own is not None else request_of(item, plan))
    except (HarnessError, TypeError, ValueError, AttributeError):
        return ()  # the test will report the error itself


def refusing_hosts(item: pytest.Item, plan: RunPlan, fleet: Fleet) -> frozenset[str]:
    """Return the keys of the usable hosts that refuse the machine requested by markers or metadata.

    None, when all refuse it: the test then says why.
    """
    if len(fleet.members) == 1:
        return frozenset()
    own = getattr(item, "machine_request", None)
    if own is None and "new_machine" not in getattr(item, "fixturenames", ()):
        return frozenset()
    try:
        spec = (own(plan) if own is not None else request_of(item, plan)).spec
    except (HarnessError, TypeError, ValueError, AttributeError):
        return frozenset()
    if "services" in getattr(item, "fixturenames", ()):
        spec = replace(spec, reachable=_SERVICES)
    connected = "machines" in getattr(item, "fixturenames", ())
    answers = {member.key: _answer(fleet, member, spec, connected=connected) for member in fleet.usable()}
    refusing = frozenset(key for key, reason in answers.items() if reason)
    return refusing if len(refusing) < len(answers) else frozenset()


def _answer(fleet: Fleet, member: Member, spec: MachineSpec, *, connected: bool) -> str:
    """Return the reason why the host cannot have such machines; a host that does not answer is lost.

    With `connected` they are on a private network.
    """
    try:
        return member.platform.refuses(spec) or (member.platform.why_not_connect() if connected else "")
    except InfrastructureError as error:
        fleet.lose(member, str(error))
        return str(error)


def write_kinds(
    items: Iterable[pytest.Item], plan: RunPlan, pool: Callable[[], MachinePool], fleet: Callable[[], Fleet]
) -> None:
    """Write the kinds for the scheduling process, which collects nothing itself. Only one worker calls it.

    `pool` is called when the first test requests a machine.
    """
    templates = cache(lambda request: pool().templates(request))
    kinds = {
        item.nodeid: Kind(
            need, templates_of(item, plan, templates), tuple(sorted(refusing_hosts(item, plan, fleet())))
        )
        for item in items
        if (need := need_of(item, plan))
    }
    _FORMAT.write(plan.output / _FILE, kinds)


def read_kinds(output: Path) -> Mapping[str, Kind]:
    """Read the kinds by node id. A missing test needs nothing. Raises ConfigError for a damaged file."""
    path = output / _FILE
    if not path.exists():
        return {}
    kinds = _FORMAT.read(path)
    path.unlink()
    return kinds

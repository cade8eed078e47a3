"""What each test will take of the host and be cloned from, told to the process that schedules them."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from harness.errors import ConfigError, HarnessError
from kola.machines import Lessor, MachineRequest, request_from_markers
from kola.plugin.keys import INFO
from kola.run.plan import RunPlan
from kola.schedule.need import Need
from kola.schedule.pending import Kind

_FILE = ".kinds.json"
_SEVERAL = 2
"""Machines of a test that leases several and does not say how many (`count`)."""


def request_of(item: pytest.Item, plan: RunPlan, **overrides: Any) -> MachineRequest:
    """What the test's machine markers ask for, `overrides` over them. Raises ConfigError."""
    markers = [dict(mark.kwargs) for mark in item.iter_markers("machine")]
    line = item.location[1]
    return request_from_markers(
        plan.base_spec(),
        [*reversed(markers), overrides],
        source=item.path,
        line=line + 1 if line is not None else None,
    )


def need_of(item: pytest.Item, plan: RunPlan) -> Need:
    """Nothing for what is no test of kola's, or is wrong, as it will say itself."""
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
    """The templates of the machine its markers ask for; what its code asks for is not known yet."""
    if "new_machine" not in getattr(item, "fixturenames", ()):
        return ()
    try:
        return templates(request_of(item, plan))
    except (HarnessError, TypeError, ValueError, AttributeError):
        return ()  # the test will say so itself


def write_kinds(items: Iterable[pytest.Item], plan: RunPlan, lessor: Callable[[], Lessor]) -> None:
    """For the process that schedules, which collects nothing itself; to be written by one worker only.

    `lessor` is asked for when the first test wants a machine.
    """
    templates = cache(lambda request: lessor().templates(request))
    needs = {
        item.nodeid: [need.to_json(), templates_of(item, plan, templates)]
        for item in items
        if (need := need_of(item, plan))
    }
    path = plan.output / _FILE
    fresh = path.with_name(f"{_FILE}.{os.getpid()}")
    fresh.write_text(json.dumps(needs))
    fresh.replace(path)


def read_kinds(output: Path) -> Mapping[str, Kind]:
    """By node id; what is not there needs nothing."""
    path = output / _FILE
    with contextlib.suppress(FileNotFoundError):
        content = json.loads(path.read_text())
        path.unlink()
        return {
            nodeid: Kind(Need.from_json(need), tuple(templates))
            for nodeid, (need, templates) in content.items()
        }
    return {}

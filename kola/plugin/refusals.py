"""Machines that the run's platform cannot have: their tests are skipped, which the report counts."""

from __future__ import annotations

from typing import Protocol

import pytest

from harness.errors import HarnessError
from harness.machine.spec import MachineSpec
from kola.plugin.needs import request_of
from kola.run.plan import RunPlan


class Refusing(Protocol):
    """The part of harness.platform.base.Platform that refuses machines."""

    @property
    def name(self) -> str: ...

    def refuses(self, spec: MachineSpec) -> str: ...


def refuse_machine(platform: Refusing, spec: MachineSpec) -> None:
    """Skip the running test when the platform cannot have such a machine."""
    reason = platform.refuses(spec)
    if reason:
        pytest.skip(f"not on {platform.name}: {reason}")


def refuse_test(item: pytest.Item, plan: RunPlan, platform: Refusing) -> None:
    """Skip a test before anything of it starts, when its markers or metadata request such a machine.

    Errors in a request are left to the test, which reports them itself.
    """
    own = getattr(item, "machine_request", None)
    if own is None and "new_machine" not in getattr(item, "fixturenames", ()):
        return
    try:
        request = own(plan) if own is not None else request_of(item, plan)
    except (HarnessError, TypeError, ValueError, AttributeError):
        return
    refuse_machine(platform, request.spec)

"""The number of tests that run at once."""

from __future__ import annotations

from typing import Literal

from harness.platform.base import Capacity
from kola.run.plan import RunPlan
from kola.schedule.allowance import allowed_memory
from kola.schedule.need import CPU_SHARE, OVERHEAD_MIB

_MIB = 1024 * 1024


def workers(wanted: int | Literal["auto"], plan: RunPlan, capacity: Capacity) -> int:
    """Return the number of workers for `--parallel`: as typed, or with `auto` as many as there are CPUs.

    The number is limited by the machines of default size that memory can hold, by CPU_SHARE for each CPU, and
    by the number of tests.
    """
    count = capacity.cpus if wanted == "auto" else wanted
    each = (plan.base_spec().memory_mib + OVERHEAD_MIB) * _MIB
    fit = min(capacity.available_memory, allowed_memory()) // each
    return max(1, min(count, fit, CPU_SHARE * capacity.cpus, max(1, len(plan.tests))))

"""How many tests run at once."""

from __future__ import annotations

from harness.errors import ConfigError
from kola.run.plan import RunPlan
from kola.schedule.host import allowed_memory, available_memory, cpus
from kola.schedule.need import CPU_SHARE, OVERHEAD_MIB

_MIB = 1024 * 1024


def workers(wanted: str, plan: RunPlan) -> int:
    """The number of workers for `--parallel`: as typed, or with `auto` as many as there are CPUs.

    Never more than memory holds machines of the default size, than CPU_SHARE for each CPU, or than there
    are tests.
    """
    if wanted == "auto":
        count = cpus()
    elif wanted.isdecimal() and int(wanted) > 0:
        count = int(wanted)
    else:
        raise ConfigError(f"--parallel {wanted!r} is no number of tests", hint="write a number, or auto")
    fit = min(available_memory(), allowed_memory()) // ((plan.base_spec().memory_mib + OVERHEAD_MIB) * _MIB)
    return max(1, min(count, fit, CPU_SHARE * cpus(), max(1, len(plan.tests))))

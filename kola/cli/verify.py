"""`--verify-clones`: repeats a sample of the tests that ran in clones on machines booted for them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from harness.util.language import tr
from kola.plugin.recorder import Recorder
from kola.report.clones import compare, sample
from kola.report.layout import VERIFY
from kola.report.verdict import ExitCode
from kola.run.output import prepare
from kola.run.resolve import Resolved


def verify_clones(
    recorder: Recorder, again: Callable[[Resolved], Recorder | None], resolved: Resolved
) -> None:
    """Run the sample cold, by `again`, and add the results to the run that `recorder` holds.

    A run that was cut short is not verified. Raises ConfigError.
    """
    run = recorder.run
    if run is None or run.interrupted:
        return
    chosen = sample(run.tests)
    if not chosen:
        recorder.console.write(f"\n{tr('no test ran in clones only: there is none to verify')}\n")
        return
    said = tr("verifying {count} of the tests that ran in clones with a cold boot", count=len(chosen))
    recorder.console.write(f"\n{said}\n")
    output = prepare(platform=resolved.plan.platform, explicit=resolved.output.path / VERIFY)
    plan = replace(resolved.plan, output=output.path, boot="cold", tests=tuple(test.name for test in chosen))
    second = again(replace(resolved, plan=plan, output=output))
    cold = second.run if second is not None else None
    clones = tuple(compare(chosen, cold.tests if cold is not None else (), Path(VERIFY)))
    found = replace(run, clones=clones)
    recorder.run = replace(found, exit_code=int(ExitCode.FAILED)) if found.disagreements else found
    recorder.write()

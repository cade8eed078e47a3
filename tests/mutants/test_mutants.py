"""Every mutant is caught by the tests that claim what it breaks, and by no others.

Not part of `make test`, which plants one defect of each kind (tests/vm/test_verdicts.py): `make mutants`.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from kolarun import Outcome, kola_run

from mutants.mutantset import Group, Mutant

pytestmark = pytest.mark.vm

WITNESS = "defaults.boot.machine-id"
"""The test that is run on a machine whose boot, and not a test, is to fail."""


def test_mutants_are_caught(group: Group, reference: Path, tmp_path: Path, table: list[str]) -> None:
    config = tmp_path / "mutants.ign"
    config.write_text(group.config().to_json())
    chosen = ["--boot", "cold", WITNESS] if group.cause else ["--parallel", "2", *group.suites]
    outcome = kola_run(reference, tmp_path / "out", "--append-ignition", str(config), *chosen, timeout=3600)
    verdicts = [_judge(mutant, outcome) for mutant in group.mutants]
    table.extend(verdicts)
    failed = outcome.failed()
    if group.cause:
        assert outcome.tests[WITNESS]["cause"] == group.cause, outcome.why(WITNESS)
        assert outcome.tests[WITNESS]["kind"] == "guest"
        return
    for missed in sorted(group.expected - failed):
        table.append(f"    MISSED by {missed}")
    for innocent in sorted(failed - group.expected):
        table.append(f"    UNRELATED {innocent}: {outcome.why(innocent)}")
    assert failed == group.expected, outcome.printed


def _judge(mutant: Mutant, outcome: Outcome) -> str:
    if mutant.cause:
        return f"{mutant.name:44} {outcome.tests[WITNESS]['cause'] or 'NOT CAUGHT'}"
    caught = sorted(mutant.caught_by & outcome.failed())
    return f"{mutant.name:44} {', '.join(caught) or 'NOT CAUGHT'}"

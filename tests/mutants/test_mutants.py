"""Every mutant is caught by the tests that claim what it breaks, and by no others.

Not part of `make test`, which plants one defect of each kind (tests/vm/test_verdicts.py): `make mutants`.
"""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from kolarun import Outcome, kola_run

from mutants.mutantset import Group

pytestmark = pytest.mark.vm

BOOTS = "basic"
"""The test that is run on a machine whose boot, and not a test, is to fail: it boots by itself."""
SHOWN = 110
"""Characters of a failure's reason that the table shows."""


def test_mutants_are_caught(
    group: Group, reference: Path, tmp_path: Path, table: list[str], request: pytest.FixtureRequest
) -> None:
    config = tmp_path / "mutants.ign"
    config.write_text(group.config().to_json())
    tests = [BOOTS] if group.cause else group.tests
    at_once = str(request.config.getoption("--tests-at-once"))
    began = time.monotonic()
    outcome = kola_run(
        reference,
        tmp_path / "out",
        "--append-ignition",
        str(config),
        "--parallel",
        at_once,
        *tests,
        timeout=3600,
    )
    minutes, seconds = divmod(round(time.monotonic() - began), 60)
    table.append(f"{group}: {len(outcome.tests)} tests, {minutes} min {seconds:02} s")
    table.extend(_of_the_boot(group, outcome) if group.cause else _of_tests(group, outcome))
    if group.cause:
        verdict = outcome.tests[BOOTS]
        assert (verdict["kind"], verdict["cause"]) == ("guest", group.cause), outcome.printed
        return
    failed = outcome.failed()
    assert failed == group.expected, outcome.printed
    kinds = {test: outcome.tests[test]["kind"] for test in failed}
    assert not set(kinds.values()) & {"infrastructure", "config"}, kinds
    assert not (unsaid := group.unsaid({test: _said(outcome, test) for test in failed})), unsaid


def _of_the_boot(group: Group, outcome: Outcome) -> list[str]:
    return [f"  {group.mutants[0].name}", f"    {_line(outcome, BOOTS)}"]


def _of_tests(group: Group, outcome: Outcome) -> list[str]:
    """Rows of the table: each mutant with who caught it and why; then who did besides."""
    failed = outcome.failed()
    rows = []
    for mutant in group.mutants:
        rows.append(f"  {mutant.name}")
        for test in sorted(mutant.caught_by):
            words = mutant.says.get(test, "")
            seen = test in failed and words in _said(outcome, test)
            rows.append(f"    {_line(outcome, test, words)}" if seen else f"    MISSED by {test}: {words}")
    rows += [f"  UNRELATED {_line(outcome, test)}" for test in sorted(failed - group.expected)]
    return rows


def _line(outcome: Outcome, test: str, words: str = "") -> str:
    """The test, and the first line of why it failed that has these words."""
    reason = [line for line in _said(outcome, test).splitlines() if words in line] or [""]
    return f"{test}: {reason[0][:SHOWN]}"


def _said(outcome: Outcome, test: str) -> str:
    """Why the test failed, in full: a reason may be cut short."""
    return f"{outcome.why(test)}\n{outcome.tests[test].get('output', '')}"

"""`kola facts diff` of a machine with mutants and of a clean one tells of each mutant by an item of its own.

Not part of `make test`: `make mutants`.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from kolarun import kola_run

from kola.facts.compare import differences
from kola.facts.model import FILE, Facts
from mutants.factset import missed, telling
from mutants.mutantset import Group

pytestmark = pytest.mark.vm

COLLECT = "facts.unchanged"
SHOWN = 150
"""Characters of a difference that the table shows."""


def _facts(reference: Path, output: Path, *args: str) -> Facts:
    outcome = kola_run(reference, output, *args, COLLECT, timeout=1800)
    assert (output / FILE).is_file(), outcome.printed
    return Facts.read(output / FILE)


@pytest.fixture(scope="module")
def clean(reference: Path, tmp_path_factory: pytest.TempPathFactory) -> Facts:
    """The facts of a machine as it comes."""
    return _facts(reference, tmp_path_factory.mktemp("clean") / "out")


def test_facts_tell_of_mutants(
    fact_group: Group, clean: Facts, reference: Path, tmp_path: Path, table: list[str]
) -> None:
    config = tmp_path / "mutants.ign"
    config.write_text(fact_group.config().to_json())
    facts = _facts(reference, tmp_path / "out", "--append-ignition", str(config))
    found = [str(one) for one in differences(clean, facts) if "/kola-mutant-" not in one.item]
    table.append(f"{fact_group}: {len(found)} differences")
    untold = {}
    for mutant in fact_group.mutants:
        table.append(f"  {mutant.name}")
        table += [f"    {line[:SHOWN]}" for line in telling(mutant, found)[:4]]
        if words := missed(mutant, found):
            untold[mutant.name] = words
            table.append(f"    MISSED: {', '.join(words)}")
    ours = {line for mutant in fact_group.mutants for line in telling(mutant, found)}
    table += [f"  OF NO MUTANT {line[:SHOWN]}" for line in found if line not in ours]
    assert not untold

"""The facts of the reference OS: the same for every clone, and different between its builds as documented."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from kolarun import kola_run

from kola.facts.compare import differences
from kola.facts.model import FILE, Facts

pytestmark = pytest.mark.vm

# docs/reference-os.md: B has one file and one package more; each build names itself.
DOCUMENTED = re.compile(
    r"packages tree"
    r"|files /usr/(share/nestos(/second-version)?|bin/tree|share/rpm/.*|lib/sysimage/.*|lib/os-release)"
    r"|boot-entries ostree-1-nestos\.conf"
    r"|sizes /usr(/bin|/share|/lib)?"
)


def facts(reference: Path, output: Path, *arguments: str) -> Facts:
    outcome = kola_run(reference, output, *arguments, "facts.unchanged")
    assert not outcome.failed(), outcome.printed
    return Facts.read(output / FILE)


def test_builds_differ_as_documented_and_clones_do_not(reference: Path, tmp_path: Path) -> None:
    newer, again = (facts(reference, tmp_path / name) for name in ("newer", "again"))
    assert [str(one) for one in differences(newer, again)] == []
    older = facts(reference, tmp_path / "older", "--build", "-1")
    found = {f"{one.category} {one.item}" for one in differences(older, newer)}
    assert {"packages tree", "files /usr/share/nestos/second-version"} <= found
    assert [one for one in sorted(found) if not DOCUMENTED.fullmatch(one)] == []

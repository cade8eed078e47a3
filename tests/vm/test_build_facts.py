"""The facts of two builds differ by what the builds differ by; those of two machines of one build do not."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from kolarun import kola_run

pytestmark = pytest.mark.vm

FACTS = "facts.unchanged"
DOCUMENTED = re.compile(
    r"notice: (files: (/usr/share/nestos|/usr/bin/tree|/usr/lib/os-release|/usr/share/rpm)"
    r"|packages: tree: is new|(files|sizes): /usr(/\w+)?: |boot-times: )"
)
"""Build B has a file and a package more than A (docs/reference-os.md), so directories differ, too."""


def differences(one: Path, other: Path) -> tuple[int, list[str]]:
    """Return the exit status of `kola facts diff`, and the differences that it prints."""
    words = [sys.executable, "-m", "kola.cli.main", "facts", "diff", str(one), str(other)]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)
    return done.returncode, done.stdout.splitlines()[:-1]


def test_facts_of_builds_and_of_machines(reference: Path, tmp_path: Path) -> None:
    for name, build in (("a", "-1"), ("b", "latest"), ("b-again", "latest")):
        assert kola_run(reference, tmp_path / name, "--build", build, FACTS).failed() == set()
    status, found = differences(tmp_path / "a", tmp_path / "b")
    assert status == 0, found
    assert [line for line in found if not DOCUMENTED.match(line)] == []
    assert any(line.startswith("notice: packages: tree: is new") for line in found), found
    again = differences(tmp_path / "b", tmp_path / "b-again")[1]
    assert [line for line in again if not line.startswith("notice: boot-times: ")] == []

"""Tests that boot the reference OS."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from machinelab import MachineLab

from harness.reference import ensure


@pytest.fixture(scope="session")
def reference() -> Path:
    """The build root of the reference OS, built if need be; `KOLA_REFERENCE` names another."""
    named = os.environ.get("KOLA_REFERENCE")
    return Path(named) if named else ensure(progress=print)


@pytest.fixture(scope="module")
def lab(reference: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[MachineLab]:
    """Machines made from a spec; those of one file of tests live until its end."""
    made = MachineLab(reference, tmp_path_factory.mktemp("machines"))
    yield made
    made.close()

"""Tests that boot the reference OS."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from machinelab import MachineLab


@pytest.fixture(scope="module")
def lab(reference: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[MachineLab]:
    """Machines made from a spec; those of one file of tests live until its end."""
    made = MachineLab(reference, tmp_path_factory.mktemp("machines"))
    yield made
    made.close()

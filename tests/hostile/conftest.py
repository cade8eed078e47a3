"""The number of inputs: a subset in `make test`, ten times as many with KOLA_HOSTILE=all (`make hostile`)."""

from __future__ import annotations

import os

import pytest

WHOLE = os.environ.get("KOLA_HOSTILE") == "all"
BATCHES = 20 if WHOLE else 2
"""Batches of each format; a batch has a seed of its own."""


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "seed" in metafunc.fixturenames:
        metafunc.parametrize("seed", range(BATCHES))

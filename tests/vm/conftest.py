"""Tests that boot the reference OS."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from harness.reference import ensure


@pytest.fixture(scope="session")
def reference() -> Path:
    """The build root of the reference OS, built if need be; `KOLA_REFERENCE` names another."""
    named = os.environ.get("KOLA_REFERENCE")
    return Path(named) if named else ensure(progress=print)

"""Endurance at a small count: nothing stays behind, neither of clones nor of a runner that was killed.

The full counts, 200 clones and 50 kills, are for an evening: see benchmarks/RESULTS.md.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.vm

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"


def benchmark(name: str, *words: str, timeout: float) -> str:
    """Run the program and return its output; a non-zero status fails the test."""
    done = subprocess.run(
        [sys.executable, str(BENCHMARKS / f"{name}.py"), *words],
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_clones_leave_nothing_behind(reference: Path) -> None:
    printed = benchmark("soak", "--count", "6", "--reference", str(reference), timeout=600)
    assert "6 clones" in printed

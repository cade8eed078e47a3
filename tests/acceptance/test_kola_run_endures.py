"""kill -9 at random moments, a few times; benchmarks/kill_runner.py does it fifty times."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

PROGRAM = Path(__file__).resolve().parents[2] / "benchmarks/kill_runner.py"


def test_a_killed_run_leaves_nothing_and_the_next_one_starts_clean() -> None:
    done = subprocess.run(
        [sys.executable, str(PROGRAM), "--count", "3"],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "3 kills" in done.stdout

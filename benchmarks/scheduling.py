"""The cost of scheduling: 10,000 fake tests through `kola run` and its xdist scheduler.

    python benchmarks/scheduling.py [--tests N] [--workers N]

No test has a machine. In the second round each needs a token that no two tests may have at once, so that
every start goes through the reservations that all runs of this host share. "Scheduling" is the time that
the controller spends in kola.schedule.KolaScheduling; "all" is the whole run divided by its tests:
collecting, xdist's messages, reports.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import kola

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from fakes.steering import FakeQemu

CONTROLLER = """
import json, sys, time
from pathlib import Path
from kola.cli.main import main
from kola.plugin.xdist.scheduler import KolaScheduling

spent = {"seconds": 0.0, "calls": 0}

def timed(method):
    def call(*args, **kwargs):
        started = time.perf_counter()
        try:
            return method(*args, **kwargs)
        finally:
            spent["seconds"] += time.perf_counter() - started
            spent["calls"] += 1
    return call

for name in ("schedule", "mark_test_complete", "add_node_collection"):
    setattr(KolaScheduling, name, timed(getattr(KolaScheduling, name)))
status = main(sys.argv[2:])
Path(sys.argv[1]).write_text(json.dumps(spent | {"status": status}))
"""
TOKENS = 50


def suite(count: int, *, tokens: bool) -> str:
    lines = ["import pytest"]
    for number in range(count):
        keywords = f'exclusive="token-{number % TOKENS}"' if tokens else ""
        lines += [f"@pytest.mark.kola({keywords})", f"def test_{number}():", "    pass"]
    return "\n".join(lines) + "\n"


def measure(count: int, workers: int, *, tokens: bool) -> tuple[float, float]:
    """Milliseconds for each test: in the scheduler, and of the whole run."""
    source = Path(kola.__file__).parents[1]
    with tempfile.TemporaryDirectory() as directory:
        root = Path(directory)
        for package in ("kola", "harness"):
            (root / package).symlink_to(source / package)
        (root / "testsuites").mkdir()
        (root / "testsuites/test_many.py").write_text(suite(count, tokens=tokens))
        fake = FakeQemu(root / "host")
        spent = root / "spent.json"
        words = ["run", "--qemu-image", str(fake.image), "--output-dir", str(root / "out")]
        started = time.monotonic()
        done = subprocess.run(
            [sys.executable, "-c", CONTROLLER, str(spent), *words, "-j", str(workers)],
            cwd=root,
            env=os.environ | fake.environment(),
            capture_output=True,
            text=True,
            check=False,
        )
        wall = time.monotonic() - started
        if not spent.exists() or json.loads(spent.read_text())["status"] != 0:
            sys.exit(done.stdout[-2000:] + done.stderr[-2000:])
        return json.loads(spent.read_text())["seconds"] * 1000 / count, wall * 1000 / count


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--tests", type=int, default=10_000)
    parser.add_argument("--workers", type=int, default=2)
    args = parser.parse_args()
    for name, tokens in (("no needs", False), ("a token each", True)):
        scheduling, whole = measure(args.tests, args.workers, tokens=tokens)
        print(f"{name}: scheduling {scheduling:.3f} ms, all {whole:.2f} ms for each test", flush=True)


if __name__ == "__main__":
    main()

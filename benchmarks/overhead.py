"""The cost of a test that does next to nothing: `kola run` on the stand-in for QEMU (tests/fakes).

    python benchmarks/overhead.py [--tests N]

Each test has a machine of its own and runs one command in it. The cost of a test is the time from its
start to the next one's, the median of one run. Most of it the stand-in takes, a Python program that
loads paramiko: that is measured without kola, from the start of one to its sshd's banner. What kola and
harness do themselves is the CPU time of the worker, which a busy host does not change much.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import json
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from fakes.checkout import Checkout
from fakes.lab import Lab
from fakes.steering import FakeQemu


def suite(count: int, notes: Path) -> str:
    """Tests that write down how much CPU time their process has used."""
    lines = ["from pathlib import Path", f"NOTES = Path({str(notes)!r})"]
    for number in range(count):
        lines += [
            "@pytest.mark.kola()",
            f"def test_{number}(machine):",
            '    machine.run("true").check()',
            "    with NOTES.open('a') as notes:",
            "        notes.write(f'{time.process_time()}\\n')",
        ]
    return "\n".join(lines) + "\n"


def measure(count: int, *words: str) -> tuple[float, float]:
    """Seconds and CPU seconds for each test; templates are made by an earlier run."""
    with tempfile.TemporaryDirectory() as directory:
        notes = Path(directory) / "notes"
        checkout = Checkout(FakeQemu(Path(directory) / "host"), Path(directory) / "checkout")
        checkout.suite(suite(count, notes))
        checkout.run("mine.0", *words)
        notes.unlink()
        done = checkout.run(*words, timeout=600)
        if done.status != 0:
            sys.exit(done.stdout[-2000:] + done.stderr[-2000:])
        events = [json.loads(line) for line in (done.output / "events.jsonl").read_text().splitlines()]
        starts = [event["time"] for event in events if event["kind"] == "test-start"]
        return step(starts), step([float(line) for line in notes.read_text().split()])


def step(values: list[float]) -> float:
    """The median of what lies between two neighbours."""
    return statistics.median(later - earlier for earlier, later in itertools.pairwise(values))


def stand_in(lab: Lab) -> float:
    """Seconds from the start of one of its machines to its sshd's banner."""
    started = time.monotonic()
    machine = lab.power_on()
    while True:
        with (
            contextlib.suppress(OSError),
            machine.instance.ssh_route.connect() as knock,
        ):
            if knock.recv(4):
                break
        time.sleep(0.005)
    took = time.monotonic() - started
    machine.close()
    return took


def alone(count: int) -> float:
    """The median of `count` machines of the stand-in."""
    with tempfile.TemporaryDirectory() as directory:
        fake = FakeQemu(Path(directory) / "host")
        os.environ.update(fake.environment())
        lab = Lab(fake, Path(directory) / "results")
        return statistics.median(stand_in(lab) for _ in range(count))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--tests", type=int, default=21)
    args = parser.parse_args()
    for name, words in (("cold", ["--boot", "cold"]), ("clone", [])):
        wall, cpu = measure(args.tests, *words)
        print(f"a test, {name}: {wall:.3f} s, the worker's CPU {cpu:.3f} s", flush=True)
    print(f"the stand-in alone, to its banner: {alone(args.tests):.3f} s", flush=True)


if __name__ == "__main__":
    main()

"""Ten clones alive at once, what each of them takes, and what clones do for a run of short tests.

    python benchmarks/clones.py alive [--clones N]
    python benchmarks/clones.py wall [--tests N] [--cold-tests N] [--parallel P]

`alive` starts N clones together and keeps them until all have done a command; their memory is what the kernel
counts for their QEMU processes: Pss, in which pages that clones share are divided among them, and private
pages, which are what one clone more costs. `wall` times `kola run` of tests of one command each, with clones
and with `--boot=cold`; fewer cold ones are enough where time is short, and are then said to be.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

from census import children, private_kib, proportional_kib
from guests import Guests

from harness.platform.templates import Template
from harness.reference import ensure

HOME = Path(__file__).resolve().parents[1]
SUITE = """
import pytest

@pytest.mark.kola()
def test_one_command(machine):
    assert machine.run("true").ok
"""


def alive(reference: Path | None, count: int) -> None:
    """Print how long `count` clones took together, and their memory while all are alive."""
    guests = Guests(reference)
    template = guests.template()
    with ExitStack() as kept:
        single = first_command(guests, template, kept)
        kept.close()
        print(f"one clone, alone: {single:.1f} s to its first command")
        started = time.monotonic()
        with ThreadPoolExecutor(count) as pool:
            made = list(pool.map(lambda _: kept.enter_context(guests.clone(template)), range(count)))
            answers = list(pool.map(lambda machine: machine.run("true").ok, made))
        took = time.monotonic() - started
        assert all(answers)
        print(
            f"{count} clones at once: all have done a command after {took:.1f} s ({took / count:.1f} s each)"
        )
        report_memory(guests.spec.memory_mib, count)


def first_command(guests: Guests, template: Template, kept: ExitStack) -> float:
    started = time.monotonic()
    machine = kept.enter_context(guests.clone(template))
    assert machine.run("true").ok
    return time.monotonic() - started


def report_memory(ram_mib: int, count: int) -> None:
    """Print the memory of `count` clones: each one's QEMU and TPM."""
    processes = children()
    for name, measure in (("Pss", proportional_kib), ("private", private_kib)):
        total = sum(measure(pid) for pid in processes) / 1024
        share = total / count / ram_mib
        print(
            f"{name}: {total:.0f} MiB, {total / count:.0f} a clone, {share:.2f} of its {ram_mib} MiB of RAM"
        )


def wall(reference: Path | None, tests: int, cold_tests: int, parallel: int) -> None:
    """Print the wall time of runs of one-command tests with clones and cold, and the ratio of one test's."""
    root = reference or ensure(progress=print)
    guests = Guests(root)
    guests.template()
    with tempfile.TemporaryDirectory(prefix="kola-wall-") as directory:
        cloned = timed_run(Path(directory), root, "clone", tests, parallel)
        cold = timed_run(Path(directory), root, "cold", cold_tests, parallel)
    print(f"{tests} one-command tests on clones: {cloned:.0f} s")
    print(f"{cold_tests} one-command tests, cold: {cold:.0f} s")
    each_cloned, each_cold = cloned / tests, cold / cold_tests
    if cold_tests != tests:
        print(f"(so {tests} cold ones would take about {each_cold * tests:.0f} s: not run)")
    print(f"ratio per test: {each_cloned / each_cold:.3f} ({parallel} at once)")


def timed_run(directory: Path, reference: Path, boot: str, tests: int, parallel: int) -> float:
    """Seconds of one `kola run` in which `tests` tests boot as `boot` says, and pass."""
    checkout = directory / boot
    (checkout / "testsuites").mkdir(parents=True)
    for package in ("kola", "harness"):
        (checkout / package).symlink_to(HOME / package)
    (checkout / "testsuites/test_short.py").write_text(SUITE)
    output = directory / f"output-{boot}"
    argv = [sys.executable, "-m", "kola.cli.main", "run", "--workdir", str(reference)]
    argv += ["--output-dir", str(output), "--multiply", str(tests), "--parallel", str(parallel)]
    argv += ["--boot", "cold" if boot == "cold" else "auto"]
    started = time.monotonic()
    done = subprocess.run(
        argv, cwd=checkout, env=os.environ | {"PYTHONPATH": str(checkout)}, capture_output=True, text=True
    )
    took = time.monotonic() - started
    report = json.loads((output / "reports/report.json").read_text())["tests"]
    assert done.returncode == 0, done.stdout + done.stderr
    assert [test["boot"] for test in report] == [[boot]] * tests, report
    return took


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--reference", type=Path)
    what = parser.add_subparsers(dest="what", required=True)
    what.add_parser("alive").add_argument("--clones", type=int, default=10)
    timed = what.add_parser("wall")
    timed.add_argument("--tests", type=int, default=20)
    timed.add_argument("--cold-tests", type=int)
    timed.add_argument("--parallel", type=int, default=1)
    args = parser.parse_args()
    load = os.getloadavg()[0]
    print(f"load of this machine before: {load:.1f} on {os.cpu_count()} CPUs")
    if args.what == "alive":
        alive(args.reference, args.clones)
    else:
        wall(args.reference, args.tests, args.cold_tests or args.tests, args.parallel)


if __name__ == "__main__":
    main()

"""kill -9 a `kola run` at random moments: does anything live on, lie about, or spoil the next run?

    python benchmarks/kill_runner.py [--count N] [--real N] [--parallel P] [--reference DIR] [--seed S]

First `--count` kills with the stand-in for QEMU of tests/fakes, where a round takes seconds, then `--real`
kills with real QEMU and the reference OS. Some runs are killed while the first template is being made, some
have templates from the start; making one takes real QEMU a minute, so most real ones have them. After each
kill no process and no file may be left within PATIENCE seconds, and the next run must pass on a clone,
without a notice, and leave no half-made template. Exits with 1 at the first round that fails.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from census import MARK, files, marked, new_mark

HOME = Path(__file__).resolve().parents[1]
PATIENCE = 3.0
KINDS = ("making", "warm", "fresh")
"""Killed while the first template is made; at any time of a run that has its templates, or has none yet."""
REAL_KINDS = ("warm", "warm", "making", "warm", "warm")

SUITE = """
import pytest

@pytest.mark.kola()
def test_one_command(machine):
    assert machine.run("true").ok

@pytest.mark.kola()
def test_some_commands(machine):
    for _ in range(10):
        assert machine.run("sleep 0.1").ok

@pytest.mark.kola()
@pytest.mark.machine(disks=("1G:mpath", "1G:channel=scsi"), additional_nics=1)
def test_disks(machine):
    assert machine.run("true").ok
"""
NEEDS_REAL_QEMU = """
@pytest.mark.kola()
def test_two_machines(machines):
    assert all(machine.run("true").ok for machine in machines(2))
"""


class Left(Exception):
    """A killed run has left something, or the next one did not start clean."""


@dataclass
class Bed:
    """A checkout, a cache and directories that only the runs killed here use."""

    root: Path
    environment: dict[str, str]
    words: list[str]
    cache: Path
    places: list[Path]
    parallel: int = 2
    running: subprocess.Popen[str] | None = None

    @property
    def output(self) -> Path:
        return self.root / "output"

    def start(self, *words: str) -> subprocess.Popen[str]:
        argv = [sys.executable, "-m", "kola.cli.main", "run", *self.words, "--parallel", str(self.parallel)]
        self.running = subprocess.Popen(
            [*argv, "--output-dir", str(self.output), *words],
            cwd=self.root / "checkout",
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            process_group=0,
        )
        return self.running

    def stop(self) -> None:
        """End what was started last, should it still run."""
        if self.running is not None and self.running.poll() is None:
            self.running.kill()
            self.running.wait()

    def run(self, *words: str) -> tuple[int, str]:
        running = self.start(*words)
        printed, _ = running.communicate(timeout=1200)
        return running.returncode, printed

    def left(self, patience: float) -> list[str]:
        """Processes and named files still there after `patience` seconds."""
        end, calm = time.monotonic() + patience, False
        while True:
            processes = marked(self.environment[MARK])
            left = [f"process {pid}: {command}" for pid, command in processes.items()]
            left += [f"file {path}" for path in files(self.places)]
            # Nothing twice in a row: a process that is just becoming another program cannot be told.
            if (not left and calm) or time.monotonic() > end:
                return left
            calm = not left
            time.sleep(0.1)

    def half_made(self) -> list[str]:
        """Templates without the seal that makes them usable."""
        entries = self.cache.glob("kola/templates/artifacts/[!.]*")
        return [str(entry) for entry in entries if not (entry / "template.json").exists()]

    def forget_templates(self) -> None:
        shutil.rmtree(self.cache / "kola/templates", ignore_errors=True)


def bed(root: Path, *, real: bool, parallel: int, reference: Path | None) -> Bed:
    """Lay everything out below `root`."""
    checkout = root / "checkout"
    (checkout / "testsuites").mkdir(parents=True)
    for package in ("kola", "harness"):
        (checkout / package).symlink_to(HOME / package)
    (checkout / "testsuites/test_killed.py").write_text(SUITE + NEEDS_REAL_QEMU * (real and parallel > 1))
    inherited = {key: value for key, value in os.environ.items() if not key.startswith("PYTEST_")}
    inherited |= {MARK: new_mark(), "PYTHONPATH": str(checkout)}
    if not real:
        sys.path.insert(0, str(HOME / "tests"))
        from fakes.steering import FakeQemu

        fake = FakeQemu(root / "host")
        words = ["--workdir", "none", "--qemu-image", str(fake.image)]
        places = [fake.scratch, fake.temporary]
        return Bed(root, inherited | fake.environment(), words, fake.cache, places, parallel)
    from harness.reference import ensure

    directories = {"KOLA_SCRATCH": root / "scratch", "TMPDIR": root / "tmp", "XDG_CACHE_HOME": root / "cache"}
    for directory in directories.values():
        directory.mkdir()
    own = {name: str(directory) for name, directory in directories.items()}
    words = ["--workdir", str(reference or ensure(progress=print))]
    places = [directories["KOLA_SCRATCH"], directories["TMPDIR"]]
    return Bed(root, inherited | own, words, directories["XDG_CACHE_HOME"], places, parallel)


def wait_for_template(where: Bed, running: subprocess.Popen[str], *, making: bool) -> float:
    """Seconds until a template is (or no longer is) being made, or the run has ended."""
    started = time.monotonic()
    while running.poll() is None and bool(where.half_made()) is not making:
        time.sleep(0.01)
    return time.monotonic() - started


def lengths(where: Bed) -> dict[str, float]:
    """Seconds of undisturbed runs by kind; of `making` only the first template's part."""
    found = {}
    for kind in ("fresh", "warm"):
        started = time.monotonic()
        running = where.start()
        if kind == "fresh":
            wait_for_template(where, running, making=True)
            found["making"] = wait_for_template(where, running, making=False)
        printed, _ = running.communicate(timeout=1200)
        if running.returncode != 0:
            raise Left(f"an undisturbed run fails:\n{printed}")
        found[kind] = time.monotonic() - started
    return found


def kill_one(where: Bed, kind: str, moment: float) -> str | None:
    """Start a run, kill it after `moment` seconds, look around.

    Returns what was running then, None when the run had ended by itself.
    """
    running = where.start()
    if kind == "making":
        wait_for_template(where, running, making=True)
    time.sleep(moment)
    ended = running.poll() is not None
    at_work = marked(where.environment[MARK])
    running.send_signal(signal.SIGKILL)
    running.communicate()
    left = where.left(PATIENCE)
    if left:
        raise Left(
            f"killed after {moment:.2f} s, and {PATIENCE:.0f} s later there is:\n  " + "\n  ".join(left)
        )
    return None if ended else _summary(at_work)


def _summary(processes: dict[int, str]) -> str:
    names = Counter(_name(command) for command in processes.values())
    return ", ".join(f"{count} {name}" for name, count in sorted(names.items())) or "no process"


def _name(command: str) -> str:
    known = ("fakeqemu", "qemu-system", "qemu-img", "qemu-storage-daemon", "swtpm", "virtiofsd")
    return next((name for name in known if name in command), Path(command.partition(" ")[0] or "-").name)


def next_run(where: Bed) -> None:
    """Raise Left unless a run starts as if nothing had ever been killed."""
    status, printed = where.run("*.one-command")
    report = where.output / "reports/report.json"
    tests = json.loads(report.read_text())["tests"] if report.exists() else []
    boots = [test["boot"] for test in tests]
    notices = [
        line for line in (where.output / "events.jsonl").read_text().splitlines() if '"notice"' in line
    ]
    wrong = where.left(PATIENCE) + [f"half-made template {path}" for path in where.half_made()] + notices
    if status != 0 or boots != [["clone"]] or wrong:
        raise Left(
            f"the next run ended with {status}, boots {boots}, and:\n  " + "\n  ".join(wrong) + f"\n{printed}"
        )


def round_of(where: Bed, kind: str, took: dict[str, float], chance: random.Random) -> str:
    """Kill one run, start the next, and return a line about both."""
    while True:
        if kind != "warm":
            where.forget_templates()
        moment = chance.uniform(0.0, took[kind])
        at_work = kill_one(where, kind, moment)
        half_made = len(where.half_made())
        if at_work is not None:
            break
        took[kind] = moment  # it was faster this time: aim earlier
    next_run(where)
    return f"{kind}, killed after {moment:.2f} s ({at_work}; {half_made} templates half made): clean"


def kills(where: Bed, kinds: Sequence[str], count: int, chance: random.Random) -> None:
    """Raise Left at the first round that fails."""
    try:
        took = lengths(where)
        shown = ", ".join(f"{kind} {seconds:.1f} s" for kind, seconds in took.items())
        print(f"undisturbed: {shown}", flush=True)
        for number, kind in zip(range(1, count + 1), itertools.cycle(kinds), strict=False):
            print(f"{number}: {round_of(where, kind, took, chance)}", flush=True)
    finally:
        where.stop()


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--count", type=int, default=40, help="kills with the stand-in for QEMU")
    parser.add_argument("--real", type=int, default=0, help="kills with the reference OS")
    parser.add_argument("--parallel", type=int, default=2, help="of each run; 1 is one machine at a time")
    parser.add_argument("--reference", type=Path)
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 16))
    args = parser.parse_args()
    chance = random.Random(args.seed)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("terminated"))
    print(f"seed {args.seed}", flush=True)
    for real, kinds, count in ((False, KINDS, args.count), (True, REAL_KINDS, args.real)):
        if not count:
            continue
        print("with the reference OS" if real else "with the stand-in for QEMU", flush=True)
        with tempfile.TemporaryDirectory(prefix="kola-kill-") as root:
            try:
                where = bed(Path(root), real=real, parallel=args.parallel, reference=args.reference)
                kills(where, kinds, count, chance)
            except Left as left:
                print(left, file=sys.stderr)
                return 1
    real_ones = f", {args.real} of them with the reference OS" if args.real else ""
    print(f"{args.count + args.real} kills{real_ones}, nothing left behind, every next run clean")
    return 0


if __name__ == "__main__":
    sys.exit(main())

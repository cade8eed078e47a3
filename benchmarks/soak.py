"""Clone after clone of one template, one command each: does anything stay behind?

    python benchmarks/soak.py [--count N] [--reference DIR]

The first half of the N clones comes one at a time, the other half in pairs. After each it is checked that
no process, zombie, thread, descriptor, file or listening port is left, and at the end that this process has
not grown. Exits with 1 at the first thing left behind, naming it.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from census import MARK, Census, left_after, listening, new_mark, resident_kib
from guests import Guests

from harness.platform.templates import Template

PATIENCE = 3.0
GROWTH_KIB = 25.0
"""Resident memory may grow by this much a clone: an allocator's noise, far less than a forgotten machine."""


class Leak(Exception):
    """Something is still there that should not be."""


@dataclass
class Soak:
    """Does the rounds and remembers what they took."""

    guests: Guests
    template: Template
    mark: str
    places: list[Path]
    seconds: list[float] = field(default_factory=list)
    resident: list[int] = field(default_factory=list)
    done: int = 0

    def one(self) -> int:
        """Run one command in one clone; return its SSH port on the host."""
        started = time.monotonic()
        with self.guests.clone(self.template) as machine:
            answer = machine.run("echo $((6 * 7))")
            self.seconds.append(time.monotonic() - started)
            if answer.stdout.strip() != "42":
                raise Leak(f"clone {self.done + 1} answered {answer.stdout!r}, not 42")
            return machine.instance.ssh_route.port

    def round(self, pool: ThreadPoolExecutor, width: int, before: Census | None) -> None:
        """`width` clones at once, then the count of what is left; none without `before`."""
        ports = [job.result() for job in [pool.submit(self.one) for _ in range(width)]]
        self.done += width
        if before is None:
            return
        left = left_after(before, self.mark, self.places, patience=PATIENCE)
        left += [f"port {port}" for port in ports if listening(port)]
        if left:
            raise Leak(f"after {self.done} clones there is still:\n  " + "\n  ".join(left))
        self.resident.append(resident_kib())

    def growth(self) -> float:
        """KiB of resident memory a clone: the last quarter's median against the second quarter's."""
        quarter = max(1, len(self.resident) // 4)
        early, late = self.resident[quarter : 2 * quarter], self.resident[-quarter:]
        clones = self.done / len(self.resident) * (len(self.resident) - 2 * quarter)
        return (statistics.median(late) - statistics.median(early)) / max(1.0, clones)


def soak(reference: Path | None, count: int, root: Path) -> Soak:
    """Raise Leak, or return what the rounds took. Files may come and go below `root` only."""
    mark = new_mark()
    places = [root / "scratch", root / "tmp", Path("/dev/shm")]
    for place in places[:2]:
        place.mkdir()
    os.environ |= {MARK: mark, "KOLA_SCRATCH": str(places[0]), "TMPDIR": str(places[1])}
    tempfile.tempdir = None
    guests = Guests(reference)
    work = Soak(guests, guests.template(), mark, places)
    with ThreadPoolExecutor(2) as pool:
        work.round(pool, 2, None)  # whatever is opened once for all time is open now
        before = Census.take(mark, places)
        work.done = 0
        work.seconds.clear()
        pairs = count // 4
        for number, width in enumerate([1] * (count - 2 * pairs) + [2] * pairs):
            work.round(pool, width, before)
            if number % 10 == 0:
                print(f"{work.done} clones, {work.seconds[-1]:.1f} s, {work.resident[-1]} KiB", flush=True)
    return work


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--reference", type=Path)
    args = parser.parse_args()
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="kola-soak-") as root:
        try:
            work = soak(args.reference, args.count, Path(root))
        except Leak as leak:
            print(leak, file=sys.stderr)
            return 1
    print(f"{work.done} clones in {time.monotonic() - started:.0f} s, nothing left behind")
    pairs = args.count // 4
    alone, paired = work.seconds[: args.count - 2 * pairs], work.seconds[args.count - 2 * pairs :]
    quarter = max(1, len(alone) // 4)
    print(f"start to command done, alone: first quarter {statistics.median(alone[:quarter]):.2f} s,", end=" ")
    print(f"last {statistics.median(alone[-quarter:]):.2f} s; in pairs {statistics.median(paired):.2f} s")
    print(f"resident memory: {work.growth():+.1f} KiB a clone")
    if work.done >= 40 and work.growth() > GROWTH_KIB:
        print(f"this process grows by more than {GROWTH_KIB:.0f} KiB a clone", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

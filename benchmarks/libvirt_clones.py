"""A clone against a cold boot, and libvirt against bare QEMU: seconds and CPU seconds to the first command.

    python benchmarks/libvirt_clones.py [--uri URI] [--runs N] [--platforms libvirt,qemu]

Wall time on a busy host says little; QEMU's CPU seconds, as the kernel counts them, say what the work is. The
daemon's own share is not in them: it is the difference in wall time on an idle host.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from guests import LIMIT, Guests

from harness.machine.instance import Instance
from harness.machine.machine import Machine
from harness.platform.base import Platform
from harness.platform.choose import choose
from harness.platform.templates import Recipe
from harness.util.deadline import Deadline

Sample = tuple[float, float]
"""Seconds on the clock, and CPU seconds of QEMU, to the end of the first command."""


def measured(start: Callable[[Path], Instance], ready: Callable[[Instance], Machine]) -> Sample:
    with tempfile.TemporaryDirectory() as directory:
        began = time.monotonic()
        machine = ready(start(Path(directory)))
        try:
            assert machine.run("true").ok
            return time.monotonic() - began, machine.instance.cpu_seconds
        finally:
            machine.close()


def measure(guests: Guests, platform: Platform, runs: int) -> dict[str, list[Sample]]:
    """Return samples of cold boots and of clones."""
    assert platform.templates is not None
    recipe = Recipe(guests.spec, guests.artifact.identity(), guests.access.user, guests.config)
    template = platform.templates.obtain(recipe, deadline=Deadline(LIMIT))

    def boot(directory: Path) -> Instance:
        config = guests.config(guests.access)
        return platform.launch(guests.spec, config, directory=directory, deadline=Deadline(LIMIT))

    def booted(instance: Instance) -> Machine:
        machine = Machine(instance, guests.access, scale=platform.scale)
        machine.wait_reachable()
        return machine

    def clone(directory: Path) -> Instance:
        assert platform.templates is not None
        return platform.templates.clone(template, guests.spec, directory=directory, deadline=Deadline(LIMIT))

    def resumed(instance: Instance) -> Machine:
        machine = Machine(instance, template.access, scale=platform.scale, how="clone")
        machine.wait_resumed(template.boot_id, os.urandom(64), time.time())
        return machine

    found: dict[str, list[Sample]] = {"cold": [], "clone": []}
    for _ in range(runs):
        found["cold"].append(measured(boot, booted))
        found["clone"].append(measured(clone, resumed))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--uri", default="")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--platforms", default="libvirt,qemu")
    parser.add_argument("--reference", type=Path)
    args = parser.parse_args()
    guests = Guests(args.reference)
    for name in args.platforms.split(","):
        platform = choose(name, "x86_64", uri=args.uri if name == "libvirt" else "")
        medians = {}
        for kind, samples in measure(guests, platform, args.runs).items():
            wall, cpu = (statistics.median(values) for values in zip(*samples, strict=True))
            medians[kind] = wall, cpu
            print(f"{name} {kind}: {wall:.1f} s, {cpu:.1f} CPU seconds of QEMU (median of {args.runs})")
        wall, cpu = (a / b for a, b in zip(medians["clone"], medians["cold"], strict=True))
        print(f"{name}: clone / cold = {wall:.3f} on the clock, {cpu:.3f} in CPU seconds", flush=True)


if __name__ == "__main__":
    main()

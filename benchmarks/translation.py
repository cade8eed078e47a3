"""The cost of address space randomisation for a boot under emulation.

    python benchmarks/translation.py [--runs N] [--reference DIR]

Bare boots to sshd's banner, in turn as the reference OS is (its command line has `norandmaps`) and with the
kernel's default put back. Prints medians of one run: seconds, and blocks that QEMU translated.
"""

from __future__ import annotations

import re
import statistics
import time
from dataclasses import replace

from guests import LIMIT, Guests, options

from harness.util.deadline import Deadline

KERNEL_ARGUMENTS = {
    "the same addresses in every process": "",
    "others in every process": "sysctl.kernel.randomize_va_space=2",
}


def boot(guests: Guests, arguments: str) -> tuple[float, int]:
    """Seconds from QEMU's start to the banner, and blocks translated until then."""
    started = time.monotonic()
    with guests.bare(replace(guests.spec, kernel_args=arguments)) as (instance, connected):
        took = time.monotonic() - started
        connected.close()
        told = instance.qmp.hmp("info jit", deadline=Deadline(LIMIT))
    found = re.search(r"TB count\s+(\d+)", told)
    if found is None:
        raise SystemExit("this accelerator translates nothing: run it where guests are emulated")
    return took, int(found[1])


def main() -> None:
    args = options(__doc__)
    guests = Guests(args.reference)
    took: dict[str, list[float]] = {name: [] for name in KERNEL_ARGUMENTS}
    blocks: dict[str, list[int]] = {name: [] for name in KERNEL_ARGUMENTS}
    for _ in range(args.runs):  # in turn, so that a drifting host drifts for all
        for name, arguments in KERNEL_ARGUMENTS.items():
            seconds, translated = boot(guests, arguments)
            took[name].append(seconds)
            blocks[name].append(translated)
            print(f"{name}: {seconds:.1f} s, {translated} blocks", flush=True)
    same, other = KERNEL_ARGUMENTS
    print(f"ratio of seconds: {statistics.median(took[same]) / statistics.median(took[other]):.3f}")
    print(f"ratio of blocks: {statistics.median(blocks[same]) / statistics.median(blocks[other]):.3f}")


if __name__ == "__main__":
    main()

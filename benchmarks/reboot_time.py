"""The cost of a reboot under an emulator that keeps the translated code of the boot before.

    python benchmarks/reboot_time.py [--runs N] [--reference DIR]

A machine with our room for translated code and one with QEMU's default, in turn, rebooted twice each. Prints
ratios of medians of one run: seconds until a command is done again, and CPU time of the guest since its
kernel started.
"""

from __future__ import annotations

import statistics
import time

from guests import Guests, options

from harness.machine.machine import Machine
from harness.platform.parts.accel import Accelerator

REBOOTS = 2


class DefaultCache(Accelerator):
    """kola's accelerator with QEMU's default size of the translation buffer."""

    @property
    def argument(self) -> str:
        return "tcg,thread=multi"


def used(machine: Machine) -> float:
    """CPU seconds of the guest since its kernel started: user, nice and system (proc(5))."""
    ticks = machine.run("head -1 /proc/stat").check().stdout.split()[1:4]
    return sum(map(int, ticks)) / 100


def main() -> None:
    args = options(__doc__)
    guests = Guests(args.reference)
    ours = guests.platform.accelerator
    if ours.name != "tcg":
        raise SystemExit("this accelerator translates nothing: run it where guests are emulated")
    kinds = {"ours": ours, "QEMU's default": DefaultCache(ours.name, ours.cpu, ours.scale)}
    took: dict[str, list[float]] = {name: [] for name in kinds}
    cpu: dict[str, list[float]] = {name: [] for name in kinds}
    for _ in range(args.runs):  # in turn, so that a drifting host drifts for all
        for name, accelerator in kinds.items():
            with guests.cold(accelerator) as machine:
                for _ in range(REBOOTS):
                    started = time.monotonic()
                    machine.reboot()
                    took[name].append(time.monotonic() - started)
                    cpu[name].append(used(machine))
                    print(f"{name}: {took[name][-1]:.1f} s, {cpu[name][-1]:.1f} s of CPU", flush=True)
    for what, values in (("seconds", took), ("CPU time", cpu)):
        ratio = statistics.median(values["ours"]) / statistics.median(values["QEMU's default"])
        print(f"ratio of {what}: {ratio:.3f}")


if __name__ == "__main__":
    main()

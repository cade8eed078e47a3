"""QEMU start to sshd's banner, bare, against ours to the first command done; and against a clone's.

    python benchmarks/boot_time.py [--runs N] [--reference DIR]

Prints the medians of one run and their ratios. The bare boot is the same image, devices and CPU with a config
that only lets us in; it ends with the first bytes of sshd's banner. A bare boot with a login and a command
tells what part of the difference any login costs, and what kola adds. Single boots differ by more than that,
so the guest is asked as well at its first command how much of its CPU time was a user's, and our unit's.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

from guests import LIMIT, Guests, options

from harness.ignition.journal import stream_unit
from harness.machine.ssh import SshConnection
from harness.util.deadline import Deadline


def bare(guests: Guests) -> float:
    """Seconds from QEMU's start to the banner."""
    started = time.monotonic()
    with guests.bare() as (_, connected):
        took = time.monotonic() - started
        connected.close()
        return took


def bare_login(guests: Guests) -> float:
    """Seconds from QEMU's start to the first command done by whoever logs in to the bare machine."""
    started = time.monotonic()
    with guests.bare() as (instance, connected):
        connection = SshConnection.open(
            connected,
            user=guests.access.user,
            key=guests.access.key,
            password=None,
            host_key=None,
            incidents=instance.incidents,
            deadline=Deadline(LIMIT),
        )
        connection.run("true", deadline=Deadline(LIMIT))
        took = time.monotonic() - started
        connection.close()
        return took


_GROUPS = {
    "the whole boot": ".",
    "users: the login": "user.slice",
    "sshd": "system.slice/ssh.service",
    "kola's journal stream": f"system.slice/{stream_unit('mantlejournal', 'json')[0]}",
}


def ours(guests: Guests, shares: dict[str, list[float]]) -> float:
    """Seconds from QEMU's start to the first command done; CPU seconds of the guest go to `shares`."""
    started = time.monotonic()
    with guests.cold() as machine:
        took = time.monotonic() - started
        files = " ".join(f"/sys/fs/cgroup/{group}/cpu.stat" for group in _GROUPS.values())
        used = machine.run(f"grep -h usage_usec {files}").check().lines
        for name, line in zip(_GROUPS, used, strict=True):
            shares[name].append(int(line.split()[1]) / 1e6)
        return took


def clone(guests: Guests) -> float:
    """Seconds from QEMU's start to the first command done in a clone."""
    template = guests.template()
    started = time.monotonic()
    with guests.clone(template):
        return time.monotonic() - started


def main() -> None:
    args = options(__doc__)
    guests = Guests(args.reference)
    shares: dict[str, list[float]] = {name: [] for name in _GROUPS}
    measures: dict[str, Callable[[Guests], float]] = {
        "bare to banner": bare,
        "bare to a login": bare_login,
        "ours to first command": lambda guests: ours(guests, shares),
        "clone to first command": clone,
    }
    took: dict[str, list[float]] = {name: [] for name in measures}
    for _ in range(args.runs):  # in turn, so that a drifting host drifts for all
        for name, measure in measures.items():
            took[name].append(measure(guests))
            print(f"{name}: {took[name][-1]:.2f} s", flush=True)
    medians = {name: statistics.median(values) for name, values in took.items()}
    for name, value in medians.items():
        print(f"median {name}: {value:.2f} s ({guests.platform.accelerator.name}, {args.runs} runs)")
    base = medians["bare to banner"]
    cold = medians["ours to first command"]
    print(f"ratio ours / bare: {cold / base:.3f}")
    print(f"ratio ours / bare and a login: {cold / medians['bare to a login']:.3f}")
    whole = statistics.median(shares["the whole boot"])
    for name, values in shares.items():
        used = statistics.median(values)
        print(f"CPU time of the guest, {name}: {used:.2f} s, {used / whole:.3f}")
    print(f"ratio clone / cold: {medians['clone to first command'] / cold:.3f}")


if __name__ == "__main__":
    main()

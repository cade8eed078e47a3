"""QEMU start to sshd's banner, bare, against ours to the first command done; and against a clone's.

    python benchmarks/boot_time.py [--runs N] [--reference DIR]

Single boots differ by more than what is to be measured, and hosts drift; so what is compared is booted side
by side, each on a core of its own, and the ratio is that of the sums of one run. Bare is the same image,
devices and CPU with a config that only lets us in. It ends with the first bytes of sshd's banner, or as ours
does with a login and its first command: the second ratio is what kola adds, the first has in it what any
login costs. The guest is asked as well at its first command how much of its CPU time was a user's, and our
unit's.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial

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


def side_by_side(*measures: Callable[[], float]) -> list[float]:
    """Run all of them at the same time and return their results."""
    with ThreadPoolExecutor(len(measures)) as pool:
        return [running.result() for running in [pool.submit(measure) for measure in measures]]


def main() -> None:
    args = options(__doc__)
    guests = Guests(args.reference)
    shares: dict[str, list[float]] = {name: [] for name in _GROUPS}
    others: dict[str, Callable[[Guests], float]] = {
        "to sshd's banner": bare,
        "to a first command": bare_login,
    }
    for name, measure in others.items():
        pairs = []
        for _ in range(args.runs):
            pair = side_by_side(partial(measure, guests), partial(ours, guests, shares))
            pairs.append(pair)
            print(f"bare {name}: {pair[0]:.2f} s; ours beside it: {pair[1]:.2f} s", flush=True)
        base, mine = (sum(column) for column in zip(*pairs, strict=True))
        single = ", ".join(f"{pair[1] / pair[0]:.3f}" for pair in pairs)
        print(f"ratio ours / bare {name}: {mine / base:.3f} ({single})")
    whole = statistics.median(shares["the whole boot"])
    for name, values in shares.items():
        used = statistics.median(values)
        print(f"CPU time of the guest, {name}: {used:.2f} s, {used / whole:.3f}")
    guests.template()
    alone = [(ours(guests, shares), clone(guests)) for _ in range(args.runs)]
    booted, cloned = (statistics.median(column) for column in zip(*alone, strict=True))
    print(f"alone on the host, median of {args.runs}: ours {booted:.2f} s, a clone {cloned:.2f} s")
    print(f"ratio clone / cold: {cloned / booted:.3f} ({guests.platform.accelerator.name})")


if __name__ == "__main__":
    main()

"""QEMU start to sshd's banner, bare, against ours to the first command done; and against a clone's.

    python benchmarks/boot_time.py [--runs N] [--reference DIR]

Prints the medians of one run and their ratios. The bare boot is the same image, devices and CPU with a config
that only lets us in; it ends with the first bytes of sshd's banner.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from harness.artifact import Artifact, BuildRoot
from harness.ignition import IgnitionConfig, additions
from harness.machine.machine import Access, Machine
from harness.machine.probe import Since, wait_for_banner, wait_for_sshd
from harness.machine.spec import MachineSpec
from harness.machine.ssh import SshKey
from harness.platform.qemu.platform import QemuPlatform
from harness.platform.qemu.template import Recipe
from harness.reference import ensure
from harness.util.deadline import Deadline

LIMIT = 600.0


def config(access: Access) -> IgnitionConfig:
    """What kola adds for every machine."""
    assert access.host_key is not None
    return IgnitionConfig.empty().merge(
        additions.ssh_access(access.user, access.key.public),
        additions.host_key(access.host_key.private, access.host_key.public),
        additions.journal_stream(),
    )


def bare(platform: QemuPlatform, spec: MachineSpec, access: Access) -> float:
    """Seconds from QEMU's start to the banner, with nothing of ours in the guest but a key."""
    with tempfile.TemporaryDirectory() as directory:
        started = time.monotonic()
        only_key = IgnitionConfig.empty().merge(additions.ssh_access(access.user, access.key.public))
        instance = platform.launch(spec, only_key, directory=Path(directory), deadline=Deadline(LIMIT))
        try:
            wait_for_sshd(instance, Since(), deadline=Deadline(LIMIT))
            wait_for_banner(instance, Since(), deadline=Deadline(LIMIT), grace=LIMIT).close()
            return time.monotonic() - started
        finally:
            instance.close()


def ours(platform: QemuPlatform, spec: MachineSpec, access: Access) -> float:
    """Seconds from QEMU's start to the first command done over SSH."""
    with tempfile.TemporaryDirectory() as directory:
        started = time.monotonic()
        instance = platform.launch(spec, config(access), directory=Path(directory), deadline=Deadline(LIMIT))
        machine = Machine(instance, access, scale=platform.scale)
        try:
            machine.wait_reachable()
            return time.monotonic() - started
        finally:
            machine.close()


def clone(platform: QemuPlatform, spec: MachineSpec, artifact: Artifact) -> float:
    """Seconds from QEMU's start to the first command done in a clone."""
    recipe = Recipe(spec, artifact.identity(), "nest", config)
    template = platform.templates.obtain(recipe, deadline=Deadline(LIMIT))
    with tempfile.TemporaryDirectory() as directory:
        started = time.monotonic()
        instance = platform.templates.clone(
            template, spec, directory=Path(directory), deadline=Deadline(LIMIT)
        )
        machine = Machine(instance, template.access, scale=platform.scale)
        try:
            machine.wait_resumed(template.boot_id, os.urandom(64), time.time())
            return time.monotonic() - started
        finally:
            machine.close()


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--reference", type=Path)
    args = parser.parse_args()
    artifact = BuildRoot(args.reference or ensure(progress=print)).find().artifact("qemu")
    platform = QemuPlatform()
    spec = MachineSpec(image=artifact.ready())
    access = Access("nest", SshKey.generate("bench"), SshKey.generate("bench-host"))
    measures: dict[str, Callable[[], float]] = {
        "bare to banner": lambda: bare(platform, spec, access),
        "ours to first command": lambda: ours(platform, spec, access),
        "clone to first command": lambda: clone(platform, spec, artifact),
    }
    took: dict[str, list[float]] = {name: [] for name in measures}
    for _ in range(args.runs):  # in turn, so that a drifting host drifts for all
        for name, measure in measures.items():
            took[name].append(measure())
            print(f"{name}: {took[name][-1]:.2f} s", flush=True)
    medians = {name: statistics.median(values) for name, values in took.items()}
    for name, value in medians.items():
        print(f"median {name}: {value:.2f} s ({platform.accelerator.name}, {args.runs} runs)")
    base = medians["bare to banner"]
    cold = medians["ours to first command"]
    print(f"ratio ours / bare: {cold / base:.3f}")
    print(f"ratio clone / cold: {medians['clone to first command'] / cold:.3f}")


if __name__ == "__main__":
    main()

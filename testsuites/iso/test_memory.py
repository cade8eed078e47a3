"""The least memory of a live system."""

from __future__ import annotations

import pytest

from harness.installer.isoimage import Embedded
from harness.installer.signs import LIVE_ONLY, Stage
from testsuites.iso.lab import ISO, Lab


@pytest.mark.kola(
    name="iso-live-login.least-memory",
    tags=["iso"],
    architectures=["x86_64"],
    guide="8.3#live",
    timeout="15m",
)
def test_least_memory(lab: Lab) -> None:
    """The ISO logs in by itself on a machine with the least memory that the distribution names."""
    lab.require(ISO)
    medium = lab.iso().medium(Embedded(kargs=lab.on_console()))
    follower = lab.start(medium, plan=LIVE_ONLY, network=False, memory_mib=lab.distro.live_memory_mib)
    follower.wait(Stage.CHECKS)
    distro = lab.distro
    follower.machine.channel(distro.live_success_port).expect(distro.live_success_message, timeout=120)
    print(f"stages: {follower.tracker.describe()}")

"""The guide's way to a virtual machine: virt-install, with the Ignition config by fw_cfg."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.ignition import IgnitionConfig, additions
from harness.platform.choose import route_through
from kola.plugin.keys import STATE
from testsuites.libvirt import guide

HOSTNAME = "made-by-virt-install"


@pytest.mark.kola(
    tags=["libvirt"],
    platforms=["libvirt"],
    architectures="x86_64",
    timeout="30m",
    guide="8.2.2",
)
def test_the_command_of_the_guide(
    request: pytest.FixtureRequest, way_in: IgnitionConfig, tmp_path: Path
) -> None:
    """The documented command gives a machine that has applied its Ignition config."""
    state = request.config.stash[STATE]
    virsh = guide.Virsh(state.host.entry.uri)
    guide.require(virsh)
    hostname = additions.GuestFile(path="/etc/hostname", content=f"{HOSTNAME}\n")
    config = way_in.merge(additions.kola_files([hostname]))
    ignition = tmp_path / "config.ign"
    ignition.write_bytes(config.to_bytes())
    virt_type = "qemu" if state.platform.note else "kvm"
    with (
        guide.files(virsh, state.plan.image.resolve(), ignition) as (image, given),
        guide.machine(virsh, image=image, ignition=given, virt_type=virt_type) as name,
    ):
        seconds = 600 * state.pool.scale
        route = route_through(state.host.entry, guide.address(virsh, name, seconds))
        said = guide.output_of("hostname", route=route, access=state.plan.access, seconds=seconds)
        assert said == HOSTNAME
        assert virsh("domstate", name).strip() == "running"

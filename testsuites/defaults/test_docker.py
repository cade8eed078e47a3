"""Docker is there for those who start it."""

from __future__ import annotations

import pytest

from harness.artifact import Distro
from harness.machine.machine import Machine

pytestmark = pytest.mark.kola(tags=["defaults", "docker"])


@pytest.mark.kola(guide="9.2#docker-off")
def test_docker_is_present_but_off(machine: Machine, distro: Distro) -> None:
    """Docker is installed, not enabled and not running."""
    assert machine.run("command -v docker").ok, "there is no program docker"
    enabled = machine.unit("docker.service").enabled_state
    assert (enabled == "enabled") == distro.docker_enabled, f"docker.service is {enabled}"
    state = machine.unit("docker.service").active_state
    assert state == "inactive", f"docker.service is {state}"


@pytest.mark.kola(guide="9.2#docker-starts")
def test_docker_can_be_started(machine: Machine) -> None:
    """Started by hand, docker answers."""
    machine.unit("docker.service").start()
    machine.wait_for_unit("docker.service", 120)
    assert machine.run("docker info --format '{{.ServerVersion}}'", sudo=True).check().stdout.strip()


@pytest.mark.kola()
def test_podman_is_present(machine: Machine) -> None:
    """Podman needs no service: it answers at once."""
    assert "podman version" in machine.run("podman --version").check().stdout

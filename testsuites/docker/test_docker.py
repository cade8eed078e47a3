"""Docker, enabled by the config, on an image the machine made of its own programs."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from harness.ignition import additions
from harness.machine.machine import Machine
from harness.services import Services
from testsuites.containers import (
    ARCHIVE,
    IMAGE,
    Engine,
    cgroup_version,
    check_exec_and_logs,
    check_names,
    check_network,
    check_resources,
    check_run,
    check_volumes,
    check_workflow,
    prepared,
)
from testsuites.names import asking

CONFIG = prepared(f"/usr/bin/docker import {ARCHIVE} {IMAGE}", needs="docker.service").merge(
    additions.unit("docker.service", enabled=True)
)
pytestmark = [
    pytest.mark.kola(tags=["docker", "containers"]),
    pytest.mark.machine(ignition=CONFIG, boot="clone"),
]


@pytest.mark.kola(name="docker.base", guide="9.2#docker-starts")
def test_base(machine: Machine) -> None:
    """Docker, once enabled, is up after a boot, says what it is, and runs a container."""
    docker = Engine(machine, "docker")
    state = machine.unit("docker.service").active_state
    assert state == "active", f"docker.service is {state}"
    info = json.loads(docker("info", "--format", "{{json .}}").check().stdout)
    # Docker before 20.10 does not say, and knows the older hierarchy alone.
    assert info.get("CgroupVersion", "1") == cgroup_version(machine)
    assert info["Driver"] == "overlay2", f"docker stores images with {info['Driver']}, not overlay2"
    assert info["Images"] == 1, f"docker has {info['Images']} images, not one"
    check_run(docker)


@pytest.mark.kola(name="docker.group", guide="9.2#docker-starts")
def test_group(machine: Machine) -> None:
    """The default user is in the group that may use docker; others may not."""
    machine.run(["docker", "image", "inspect", IMAGE]).check()
    refused = machine.run("runuser -u nobody -- docker image inspect " + IMAGE, sudo=True)
    assert not refused.ok, "the account nobody may use docker"
    assert "permission denied" in refused.stderr, f"it failed for another reason: {refused.stderr.strip()}"


@pytest.mark.kola(name="docker.workflow", timeout="15m")
def test_workflow(machine: Machine) -> None:
    """Images are built, committed, saved and loaded; containers are watched and removed."""
    check_exec_and_logs(Engine(machine, "docker"))
    check_workflow(Engine(machine, "docker"))


@pytest.mark.kola(name="docker.network")
def test_network(machine: Machine) -> None:
    """A published port answers, containers reach each other, and without network there is none."""
    check_network(Engine(machine, "docker"))


@pytest.mark.kola(name="docker.names")
def test_names(services: Services, new_machine: Callable[..., Machine]) -> None:
    """A container gets answers from the name server that its host asks."""
    check_names(Engine(asking(services, new_machine), "docker"))


@pytest.mark.kola(name="docker.volumes")
def test_volumes(machine: Machine) -> None:
    """Bind mounts and named volumes hold data, read-only ones cannot be written."""
    check_volumes(Engine(machine, "docker"))


@pytest.mark.kola(name="docker.resources")
def test_resources(machine: Machine) -> None:
    """Limits of memory, CPU and processes hold."""
    check_resources(Engine(machine, "docker"))

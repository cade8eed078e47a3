"""Podman, on an image the machine made of its own programs."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

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
    check_published_port,
    check_resources,
    check_run,
    check_volumes,
    check_workflow,
    imported_by_podman,
)
from testsuites.names import asking

pytestmark = [
    pytest.mark.kola(tags=["podman", "containers"]),
    pytest.mark.machine(prepare=imported_by_podman),
]


@pytest.mark.kola(name="podman.base")
def test_base(machine: Machine) -> None:
    """Podman says what it is, and runs a container."""
    podman = Engine(machine, "podman")
    info = json.loads(podman("info", "--format", "json").check().stdout)
    host, store = info["host"], info["store"]
    groups, driver, images = host["cgroupVersion"], store["graphDriverName"], store["imageStore"]["number"]
    version = f"v{cgroup_version(machine)}"
    assert groups == version, f"podman uses control groups {groups}, and the kernel has {version}"
    assert host["os"] == "linux", f"podman runs on {host['os']}"
    assert driver == "overlay", f"podman stores images with {driver}, not overlay"
    assert images == 1, f"podman has {images} images, not one"
    check_run(podman)


@pytest.mark.kola(name="podman.workflow", timeout="15m")
def test_workflow(machine: Machine) -> None:
    """Images are built, committed, saved and loaded; containers are watched and removed."""
    check_exec_and_logs(Engine(machine, "podman"))
    check_workflow(Engine(machine, "podman"))


@pytest.mark.kola(name="podman.network-single")
def test_network(machine: Machine) -> None:
    """A published port answers, containers reach each other, and without network there is none."""
    check_network(Engine(machine, "podman"))


@pytest.mark.kola(name="podman.names")
def test_names(services: Services, new_machine: Callable[..., Machine]) -> None:
    """A container gets answers from the name server that its host asks."""
    check_names(Engine(asking(services, new_machine), "podman"))


@pytest.mark.kola(name="podman.volumes")
def test_volumes(machine: Machine) -> None:
    """Bind mounts and named volumes hold data, read-only ones cannot be written."""
    check_volumes(Engine(machine, "podman"))


@pytest.mark.kola(name="podman.resources")
def test_resources(machine: Machine) -> None:
    """Limits of memory, CPU and processes hold."""
    check_resources(Engine(machine, "podman"))


@pytest.mark.kola(name="podman.rootless")
def test_rootless(machine: Machine) -> None:
    """The login user runs containers: their root is the user, other users are of the user's own range."""
    podman = Engine(machine, "podman", rootless=True)
    info = json.loads(podman("info", "--format", "json").check().stdout)
    assert info["host"]["security"]["rootless"] is True, "podman of a user says that it is root's"
    podman("import", ARCHIVE, IMAGE).check()
    check_run(podman)
    check_published_port(podman)
    podman.daemon("kola-other", "--user", "1000")
    user = int(machine.run("id -u").check().stdout)
    assert host_user(podman, "kola-server") == user
    first, count = map(int, machine.run('grep "^$USER:" /etc/subuid').check().stdout.split(":")[1:])
    assert host_user(podman, "kola-other") in range(first, first + count)
    assert "kola-" not in Engine(machine, "podman")("ps", "-a").check().stdout, (
        "root has the user's containers"
    )
    secret = podman.shell("cat /secret", "--user", "0", "-v", "/etc/shadow:/secret:ro")
    assert not secret.ok, "root of a user's container reads /etc/shadow of the host"
    assert "Permission denied" in secret.stderr, f"it failed for another reason: {secret.stderr.strip()}"


def host_user(engine: Engine, container: str) -> int:
    """The host user of the container's first process."""
    process = engine("inspect", "--format", "{{.State.Pid}}", container).check().stdout.strip()
    return int(engine.machine.run(["stat", "-c", "%u", f"/proc/{process}"]).check().stdout)

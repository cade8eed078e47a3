"""Fixtures of the container image tests: the OS as an image, a registry, a machine that trusts it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from harness.artifact import Build
from harness.machine.machine import Machine
from harness.services.images import OciImage
from harness.services.registry import Registry
from harness.services.services import Services
from testsuites.support import write_files


@pytest.fixture
def os_image(build: Build) -> OciImage:
    """The OCI archive of the build under test; the test is skipped where it has none."""
    if not build.has("ostree"):
        pytest.skip(f"build {build.id} has no OCI archive (images.ostree)")
    return OciImage.read(build.artifact("ostree").ready())


@pytest.fixture
def registry(services: Services) -> Registry:
    return services.registry()


@pytest.fixture
def trusting(registry: Registry, new_machine: Callable[..., Machine]) -> Machine:
    """A machine whose containers/image library accepts the registry's certificate."""
    machine = new_machine()
    write_files(machine, registry.trust())
    return machine

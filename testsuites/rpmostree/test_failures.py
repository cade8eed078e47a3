"""An installation that fails leaves the system as it was."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from harness.machine.machine import Machine
from harness.services.repository import RpmRepository
from harness.services.rpms import Rpm
from harness.services.services import Services
from testsuites.rpm_ostree import deployments, only_repository
from testsuites.rpmostree.packages import ENEMY, NEEDS_NOBODY, PROBE, THIEF

pytestmark = pytest.mark.kola(tags=["rpm-ostree"], guide="9.3#install")


_TWO_OWNERS = r"/usr/bin/bash|Hardlinking \S+ to bash: File exists"
"""rpm-ostree's message names the object and the file, a solver's the path."""


def _fails(machine: Machine, what: str) -> str:
    """Run an installation of `what` that must fail; return its output."""
    before = deployments(machine)
    failed = machine.run(f"rpm-ostree install {what}", sudo=True, timeout=300)
    assert failed.status == 1, failed
    assert "error: " in failed.stderr, f"rpm-ostree does not say what failed: {failed.stderr.strip()!r}"
    assert deployments(machine) == before, "an installation that failed changed the deployments"
    staged = machine.file("/run/ostree/staged-deployment").exists
    assert not staged, "an installation that failed left a staged deployment"
    return failed.stderr


@pytest.mark.kola(name="rpmostree.install-fails")
@pytest.mark.parametrize(
    ("package", "said"),
    [(NEEDS_NOBODY, "kola-that-nobody-provides"), (ENEMY, "conflict"), (THIEF, _TWO_OWNERS)],
    ids=["missing-dependency", "conflict", "file-conflict"],
)
def test_a_package_that_does_not_fit(machine: Machine, tmp_path: Path, package: Rpm, said: str) -> None:
    """A missing dependency, a conflict, or another package's file: refused, and the reason is named."""
    only_repository(machine, "")
    machine.put(package.build(tmp_path), "/var/tmp/package.rpm")
    assert re.search(said, _fails(machine, "/var/tmp/package.rpm"))


@pytest.fixture
def repository(services: Services) -> RpmRepository:
    """A repository that a test may stop."""
    return services.rpm_repository([PROBE])


@pytest.mark.kola(name="rpmostree.install-fails.unreachable-repository")
def test_a_repository_that_is_down(repository: RpmRepository, machine: Machine) -> None:
    """A repository that does not answer is named; a package nobody has is too."""
    only_repository(machine, repository.repo_file())
    assert "kola-nowhere" in _fails(machine, "kola-nowhere")
    repository.stop()
    assert "'kola'" in _fails(machine, "kola-probe")

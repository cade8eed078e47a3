"""An image derived from the OS by a Containerfile, as in the guide, and a system rebased to it."""

from __future__ import annotations

import platform
from collections.abc import Callable
from pathlib import Path

import pytest

from harness.artifact import Build
from harness.machine.machine import Machine
from harness.services.buildah import Buildah
from harness.services.images import OciImage
from harness.services.registry import Registry
from harness.services.repository import RpmRepository
from harness.services.services import Services
from testsuites.rpm_ostree import booted, deployments
from testsuites.rpmostree.packages import LIBRARY, NEEDS_LIBRARY
from testsuites.support import write_files

REPOSITORIES = "/etc/yum.repos.d"
CONTAINERFILE = """\
FROM {base}
COPY note /usr/share/kola-derived
RUN rpm-ostree install kola-needy && ostree container commit
"""


@pytest.fixture
def repository(services: Services) -> RpmRepository:
    """The only repository that RUN sees; its packages lie beside the file that names it."""
    made = services.rpm_repository([LIBRARY, NEEDS_LIBRARY])
    (made.directory / "kola.repo").write_text(made.repo_file(url=f"file://{REPOSITORIES}"), encoding="utf-8")
    return made


@pytest.mark.kola(
    name="container.derived-image",
    tags=["rpm-ostree", "container"],
    guide="10.2.1#derived-image",
    timeout="20m",
)
def test_derived_image(
    build: Build,
    os_image: OciImage,
    registry: Registry,
    repository: RpmRepository,
    new_machine: Callable[..., Machine],
    tmp_path: Path,
) -> None:
    """A file copied and a package installed by a Containerfile are in the system that is rebased to it."""
    if build.arch != platform.machine():
        pytest.skip(f"this host ({platform.machine()}) cannot run the programs of {build.arch}")
    registry.push(os_image, "os:stable")
    context = tmp_path / "context"
    context.mkdir()
    (context / "note").write_text("derived\n", encoding="utf-8")
    with Buildah(tmp_path / "buildah", registry) as buildah:
        (context / "Containerfile").write_text(
            CONTAINERFILE.format(base=buildah.image("os:stable")), encoding="utf-8"
        )
        buildah.pull("os:stable")
        built = buildah.build(context, "os:derived", mounts={repository.directory: REPOSITORIES})
        assert built.returncode == 0, f"{built.stderr}\n{built.stdout}"
        reference = f"ostree-unverified-registry:{buildah.push('os:derived')}"

    machine = new_machine()
    write_files(machine, registry.trust())
    before = booted(machine)
    packages = set(machine.run("rpm -qa").check().lines)
    machine.run(f"rpm-ostree rebase {reference}", sudo=True, timeout=600).check()
    machine.reboot()

    now, *others = deployments(machine)
    assert (now.booted, now.source) == (True, reference)
    assert (now.requested, now.local) == ((), ()), "what the image brings is layered over it once more"
    assert [other.checksum for other in others] == [before.checksum]
    assert machine.file("/usr/share/kola-derived").text == "derived\n"
    assert machine.run("kola-needy").check().stdout == "library\n"
    added = {"kola-library-1.0-1.noarch", "kola-needy-1.0-1.noarch"}
    assert set(machine.run("rpm -qa").check().lines) == packages | added

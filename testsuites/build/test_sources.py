"""Files that the sources of the build add to or remove from the image, checked on a machine."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from harness.artifact import Build, BuildRoot
from harness.machine.machine import Machine
from harness.util.process import require, run_tool
from kola.select.manifest import manifest_file
from testsuites.build.sources import Content, Treefile, content, overlay

pytestmark = pytest.mark.kola(tags=["build"])

_LIST = "/var/tmp/kola-sums"
_PACKAGE = "%{NAME} %{EPOCH}:%{VERSION}-%{RELEASE}"


@dataclass(frozen=True)
class Sources:
    """`src/config` and `overrides` of the newest build, which is under test."""

    root: Path
    config: Path
    treefile: Treefile
    overridden: bool

    def override(self, name: str) -> Path:
        """`overrides/NAME`; the test is skipped where nothing was overridden when the build was made."""
        directory = self.root / "overrides" / name
        if not self.overridden or not directory.is_dir() or not any(directory.iterdir()):
            pytest.skip(f"the build was made without overrides/{name}")
        return directory


@pytest.fixture
def sources(build: Build) -> Sources:
    """The sources of the build; the test is skipped when they are unknown."""
    root = BuildRoot(build.directory.parents[2])
    newest = root.find(arch=build.arch).id
    if build.id != newest:
        pytest.skip(f"sources are those of the newest build, {newest}")
    manifest = manifest_file(root.path)
    if not manifest.is_file():
        pytest.skip(f"the build directory has no {manifest.relative_to(root.path)}")
    active = (build.meta.model_extra or {}).get("coreos-assembler.overrides-active", False)
    return Sources(root.path, manifest.parent, Treefile.read(manifest, build.arch), bool(active))


def assert_has(machine: Machine, wanted: Content) -> None:
    """The image has all of these files and links, as they are in the sources."""
    machine.put_bytes(wanted.sum_list.encode(), _LIST)
    checked = machine.run(f"cd / && sha256sum --check --quiet {_LIST}", sudo=True)
    assert checked.ok, checked.stdout + checked.stderr
    for path, target in wanted.links.items():
        assert machine.run(["readlink", f"/{path}"]).stdout == f"{target}\n", path


@pytest.mark.kola(name="build.removed-files", guide="5.4#remove-files")
def test_removed_files(sources: Sources, machine: Machine) -> None:
    """Files that the manifest removes are not in the image."""
    paths = sources.treefile.remove_files
    if not paths:
        pytest.skip("the manifest has no remove-files")
    names = " ".join(f"'/{path}'" for path in paths)
    found = machine.run(f'for p in {names}; do [ ! -e "$p" ] && [ ! -L "$p" ] || echo "$p"; done', sudo=True)
    there = found.check().lines
    assert not there, f"the image has {', '.join(there)}, which the manifest removes"


@pytest.mark.kola(name="build.excluded-packages", guide="5.4#remove-files")
def test_excluded_packages(sources: Sources, machine: Machine) -> None:
    """No package that the manifest excludes is in the image."""
    excluded = set(sources.treefile.exclude_packages)
    if not excluded:
        pytest.skip("the manifest has no exclude-packages")
    there = sorted(excluded & set(machine.run(r"rpm -qa --qf '%{NAME}\n'").check().lines))
    assert not there, f"the image has {', '.join(there)}, which the manifest excludes"


@pytest.mark.kola(name="build.overlay-files", guide="5.5.5#overlay-files")
def test_overlay_files(sources: Sources, machine: Machine) -> None:
    """The layers of overlay.d that the manifest names are in the image, file by file."""
    layers = overlay(sources.config, sources.treefile)
    if not layers:
        pytest.skip("the manifest has no ostree-layers of overlay.d")
    overrides = [sources.root / "overrides/rootfs"] if sources.overridden else []
    wanted = content(layers, sources.treefile).without(content(overrides, sources.treefile))
    assert_has(machine, wanted)


@pytest.mark.kola(name="build.override-files", guide="6.4.3#overlay-files")
def test_override_files(sources: Sources, machine: Machine) -> None:
    """The files of overrides/rootfs are in the image."""
    assert_has(machine, content([sources.override("rootfs")], sources.treefile))


@pytest.mark.kola(name="build.override-rpms", guide="6.4.3#override-rpms")
def test_override_rpms(sources: Sources, build: Build, machine: Machine) -> None:
    """Packages that are in overrides/rpm are in the image as they are there, in no other version."""
    require("rpm", package="rpm")
    files = [path for path in sources.override("rpm").glob("*.rpm") if not path.name.endswith(".src.rpm")]
    query = ["rpm", "-qp", "--nosignature", "--qf", rf"{_PACKAGE} %{{ARCH}}\n"]
    rows = [line.rpartition(" ") for line in run_tool([*query, *map(str, files)]).decode().splitlines()]
    offered = {package for package, _, arch in rows if arch in (build.arch, "noarch")}
    names = {package.split()[0] for package in offered}
    installed = machine.run(rf"rpm -qa --qf '{_PACKAGE}\n'").check().lines
    taken = {package for package in installed if package.split()[0] in names}
    assert taken, f"none of overrides/rpm is in the image: {sorted(names)}"
    assert taken <= offered, "another version than that of overrides/rpm is in the image"

"""The build directory: its layout, and each artifact as meta.json promises it. No machine is needed."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.artifact import Build
from testsuites.build.directory import complaints_of_artifact, complaints_of_layout, complaints_of_packing

pytestmark = pytest.mark.kola(tags=["build"])


def assert_none(complaints: list[str]) -> None:
    assert not complaints, "\n".join(complaints)


def check(build: Build, *kinds: str) -> None:
    """Check that these artifacts are complete; skip the test when the build has none of them."""
    missing = [kind for kind in kinds if not build.has(kind)]
    if len(missing) == len(kinds):
        pytest.skip(f"build {build.id} has no {', '.join(kinds)} (nosa buildextend-*)")
    assert_none([f"build {build.id} has a part of it only: no {kind}" for kind in missing])
    assert_none([said for kind in kinds for said in complaints_of_artifact(build, kind)])


@pytest.mark.kola(name="build.layout", guide="6.5#build-layout")
def test_layout(build: Build) -> None:
    """builds.json, the link to the newest build and the files that describe a build fit together."""
    assert_none(complaints_of_layout(build))


@pytest.mark.kola(name="build.artifact.qemu", guide="6.4.4#artifacts")
def test_qemu(build: Build) -> None:
    """The disk image for QEMU is a qcow2 with the sum promised."""
    check(build, "qemu")


@pytest.mark.kola(name="build.artifact.ostree", guide="6.4.4#artifacts")
def test_ostree(build: Build) -> None:
    """The OCI archive of the OS has the sum promised."""
    check(build, "ostree")


@pytest.mark.kola(name="build.artifact.openstack", guide="6.4.4#artifacts")
def test_openstack(build: Build) -> None:
    """The image for OpenStack is a qcow2 with the sum promised."""
    check(build, "openstack")


@pytest.mark.kola(name="build.artifact.live-iso", guide="6.4.4#artifacts")
def test_live_iso(build: Build) -> None:
    """The live ISO is an ISO 9660 image with the sum promised."""
    check(build, "live-iso")


@pytest.mark.kola(name="build.artifact.live-pxe", guide="6.4.4#artifacts")
def test_live_pxe(build: Build) -> None:
    """Kernel, initramfs and root file system for PXE are all there with the sums promised."""
    check(build, "live-kernel", "live-initramfs", "live-rootfs")


@pytest.mark.kola(name="build.artifact.metal", guide="6.4.4#artifacts")
def test_metal(build: Build) -> None:
    """The disk image for bare metal has a partition table and the sum promised."""
    check(build, "metal")


@pytest.mark.kola(name="build.compressed", guide="6.5#compress", timeout="20m")
def test_compressed(build: Build, tmp_path: Path) -> None:
    """Artifacts compressed by `nosa compress` unpack to the files that the build made."""
    described = [kind for kind in build.kinds if build.artifact(kind).uncompressed_sha256]
    packed = [kind for kind in build.kinds if build.artifact(kind).compression]
    assert packed == described, "the name of the file and uncompressed-sha256 go together"
    if not packed:
        pytest.skip(f"no artifact of build {build.id} is compressed (nosa compress)")
    assert_none([said for kind in packed for said in complaints_of_packing(build, kind, tmp_path)])

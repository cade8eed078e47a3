"""The files that make a directory a build."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from harness.reference.build import metadata
from harness.reference.build.arch import ARCHES
from harness.reference.build.commit import Commit
from harness.reference.build.packages import from_dpkg
from harness.reference.build.recipe import load_recipe

RECIPE = load_recipe(ARCHES["x86_64"])
OLDER, NEWER = RECIPE.versions
MADE = Commit("a" * 64, "b" * 64)


def test_meta_json_lists_the_image_as_it_is(tmp_path: Path) -> None:
    image = tmp_path / metadata.artifact_name(RECIPE, OLDER, "qemu", "qcow2")
    image.write_bytes(b"QFI\xfb")
    content = metadata.meta(RECIPE, OLDER, MADE, {"qemu": metadata.describe(image)}, recipe_hash="0" * 16)
    assert content["images"]["qemu"] == {
        "path": f"nestos-{OLDER.id}-qemu.x86_64.qcow2",
        "sha256": hashlib.sha256(b"QFI\xfb").hexdigest(),
        "size": 4,
    }
    required = "buildid name ostree-commit ostree-content-checksum ostree-timestamp ostree-version"
    assert set(required.split()) | {"rpm-ostree-inputhash", "coreos-assembler.basearch"} <= set(content)
    assert content["ostree-commit"] == MADE.checksum


def test_two_versions_do_not_share_an_input_hash() -> None:
    hashes = {
        metadata.meta(RECIPE, version, MADE, {}, recipe_hash="0" * 16)["rpm-ostree-inputhash"]
        for version in RECIPE.versions
    }
    assert len(hashes) == 2


def test_builds_json_has_the_newest_first() -> None:
    content = metadata.builds(RECIPE)
    assert content["schema-version"] == "1.0.0"
    assert [build["id"] for build in content["builds"]] == [NEWER.id, OLDER.id]


def test_commitmeta_lists_packages_as_rpm_does(tmp_path: Path) -> None:
    rows = [from_dpkg("curl", "7.88.1-10+deb12u12", "amd64"), from_dpkg("ucf", "3.0043", "all")]
    target = tmp_path / "commitmeta.json"
    metadata.write_json(target, metadata.commit_meta(RECIPE, OLDER, rows))
    content = json.loads(target.read_text())
    assert content["nestos.stream"] == "reference"
    assert content["rpmostree.rpmdb.pkglist"] == [
        ["curl", "0", "7.88.1", "10+deb12u12", "x86_64"],
        ["ucf", "0", "3.0043", "0", "noarch"],
    ]

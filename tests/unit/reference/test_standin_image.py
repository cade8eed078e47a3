"""Rebasing to container images: our own archive, layers on top of it with whiteouts, damaged ones."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from standin_lab import Lab

from harness.reference.build.arch import ARCHES
from harness.reference.build.commit import Commit
from harness.reference.build.ociarchive import Layer, write_archive, write_layer
from harness.reference.build.recipe import Version, load_recipe

RECIPE = load_recipe(ARCHES["x86_64"])


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    made = Lab(tmp_path / "lab").make()
    yield made
    made.remove()


def _version(name: str) -> Version:
    return Version(name, "2025-09-01T00:00:00Z", (), Path())


def _own_layer(lab: Lab, commit: str, version: str = "1.0") -> Layer:
    return write_layer(lab.tree, lab.path / f"layer-{version}", _version(version), Commit(commit, ""))


def _archive(lab: Lab, layers: list[Layer], version: str = "1.0") -> Path:
    target = lab.path / f"{version}.ociarchive"
    write_archive(RECIPE, _version(version), layers, target)
    return target


def _tar(content: dict[str, str]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, text in content.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(text)
            archive.addfile(entry, io.BytesIO(text.encode()))
    return buffer.getvalue()


def _unpacked(archive: Path) -> tuple[Path, dict[str, Any], dict[str, Any]]:
    """An OCI directory from an archive, with its manifest and configuration."""
    directory = archive.with_suffix(".oci")
    with tarfile.open(archive) as file:
        file.extractall(directory, filter="data")
    blobs = directory / "blobs/sha256"
    index = json.loads((directory / "index.json").read_text())
    manifest = json.loads((blobs / index["manifests"][0]["digest"][7:]).read_text())
    return directory, manifest, json.loads((blobs / manifest["config"]["digest"][7:]).read_text())


def _derived(archive: Path, layers: list[dict[str, str]], *, damage: bool = False) -> Path:
    """The image a Containerfile would make: gzip layers on top, labels inherited, an OCI directory."""
    directory, manifest, config = _unpacked(archive)
    blobs = directory / "blobs/sha256"

    def put(content: bytes) -> dict[str, Any]:
        digest = hashlib.sha256(content).hexdigest()
        (blobs / digest).write_bytes(content)
        return {"digest": f"sha256:{digest}", "size": len(content)}

    for content in layers:
        tar = _tar(content)
        row = put(gzip.compress(tar, mtime=0))
        manifest["layers"].append({**row, "mediaType": "application/vnd.oci.image.layer.v1.tar+gzip"})
        config["rootfs"]["diff_ids"].append(f"sha256:{hashlib.sha256(tar).hexdigest()}")
        if damage:
            path = blobs / row["digest"][7:]
            path.write_bytes(path.read_bytes()[:-20])
    config["config"]["Labels"]["org.opencontainers.image.version"] = "derived-1"
    manifest["config"] |= put(json.dumps(config).encode())
    index = {"schemaVersion": 2, "manifests": [put(json.dumps(manifest).encode())]}
    (directory / "index.json").write_text(json.dumps(index))
    return directory


def test_an_image_whose_commit_is_here_needs_no_layer(lab: Lab) -> None:
    base = lab.status()[0]["checksum"]
    archive = _archive(lab, [_own_layer(lab, base)])
    reference = f"ostree-unverified-image:oci-archive:{archive}"
    done = lab.rpm_ostree("rebase", reference)
    assert done.status == 0, done.stderr
    assert "layers already present: 1; layers needed: 0" in done.stdout
    first = lab.status()[0]
    assert first["container-image-reference"] == reference
    assert first["container-image-reference-digest"].startswith("sha256:")
    assert "origin" not in first
    assert f"Digest: {first['container-image-reference-digest']}" in lab.rpm_ostree("status").stdout
    assert (lab.deployed() / "usr/etc/base.conf").read_text() == "base\n"
    assert "No upgrade available." in lab.rpm_ostree("upgrade").stdout
    assert lab.rpm_ostree("upgrade", "--check").status == 77


def test_an_image_of_an_unknown_commit_is_unpacked_whole(lab: Lab) -> None:
    (lab.tree / "usr/share/new").write_text("2\n")
    archive = _archive(lab, [_own_layer(lab, "f" * 64, "2.0")], "2.0")
    done = lab.rpm_ostree("rebase", f"ostree-unverified-image:oci-archive:{archive}")
    assert done.status == 0, done.stderr
    assert lab.status()[0]["version"] == "2.0"
    tree = lab.deployed()
    assert (tree / "usr/share/new").read_text() == "2\n"
    assert (tree / "usr/etc/base.conf").exists()
    assert (tree / "bin").readlink() == Path("usr/bin")


def test_layers_of_a_containerfile_are_laid_over_the_base(lab: Lab) -> None:
    archive = _archive(lab, [_own_layer(lab, lab.status()[0]["checksum"])])
    directory = _derived(
        archive,
        [
            {
                "etc/derived.conf": "x\n",
                "usr/bin/.wh.sh": "",
                "run/left": "over",
                "var/state": "not in a tree",
                "etc/resolv.conf": "the build's",
            },
            {"usr/share/rpm/.wh.nothing": "", "usr/share/second": "2\n"},
        ],
    )
    reference = f"ostree-unverified-image:oci:{directory}"
    done = lab.rpm_ostree("rebase", reference)
    assert done.status == 0, done.stderr
    assert "layers already present: 1; layers needed: 2" in done.stdout
    tree = lab.deployed()
    assert (tree / "usr/etc/derived.conf").read_text() == (tree / "etc/derived.conf").read_text() == "x\n"
    assert (tree / "usr/share/second").exists()
    assert not (tree / "usr/bin/sh").exists()
    assert not (tree / "usr/etc/resolv.conf").exists()
    assert list((tree / "run").iterdir()) == list((tree / "var").iterdir()) == []
    assert lab.status()[0]["version"] == "derived-1"
    # A package on top of it, and the image stays the base.
    assert lab.rpm_ostree("install", lab.rpm("probe")).status == 0
    first = lab.status()[0]
    assert first["container-image-reference"] == reference
    assert first["requested-local-packages"] == ["probe-1.0-1.noarch"]
    assert (lab.deployed() / "usr/share/second").exists()


def test_a_newer_image_under_the_same_name_is_found_and_taken(lab: Lab) -> None:
    archive = _archive(lab, [_own_layer(lab, lab.status()[0]["checksum"])])
    reference = f"ostree-unverified-image:oci:{_derived(archive, [{'usr/share/one': '1'}])}"
    assert lab.rpm_ostree("rebase", reference).status == 0
    _derived(archive, [{"usr/share/one": "1"}, {"usr/share/two": "2"}])
    looked = lab.rpm_ostree("upgrade", "--check")
    assert looked.status == 0
    assert "AvailableUpdate:" in looked.stdout
    assert "Added layers: 1" in looked.stdout
    done = lab.rpm_ostree("upgrade")
    assert done.status == 0, done.stderr
    assert (lab.deployed() / "usr/share/two").exists()


def test_a_damaged_layer_leaves_all_as_it_was(lab: Lab) -> None:
    archive = _archive(lab, [_own_layer(lab, lab.status()[0]["checksum"])])
    before = lab.status()
    directory = _derived(archive, [{"usr/share/one": "1"}], damage=True)
    failed = lab.rpm_ostree("rebase", f"ostree-unverified-image:oci:{directory}")
    assert failed.status == 1
    assert "is damaged or cut short" in failed.stderr
    assert lab.status() == before


def test_an_archive_that_ends_early_is_said_to(lab: Lab) -> None:
    archive = _archive(lab, [_own_layer(lab, "f" * 64)])
    archive.write_bytes(archive.read_bytes()[: archive.stat().st_size // 2])
    failed = lab.rpm_ostree("rebase", f"ostree-unverified-image:oci-archive:{archive}")
    assert failed.status == 1
    assert "error: " in failed.stderr
    assert len(lab.status()) == 1

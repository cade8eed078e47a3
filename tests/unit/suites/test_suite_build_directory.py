"""The findings of the build directory's suite."""

from __future__ import annotations

import gzip
import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from harness.artifact import Build, BuildRoot
from testsuites.build.directory import complaints_of_artifact, complaints_of_layout, complaints_of_packing

QCOW2 = b"QFI\xfb\0\0\0\3" + bytes(4096)
SUM = "a" * 64
PACKED = gzip.compress(QCOW2)


def entry(path: Path, data: bytes, **more: Any) -> dict[str, Any]:
    path.write_bytes(data)
    return {"path": path.name, "sha256": hashlib.sha256(data).hexdigest(), "size": len(data), **more}


def write_build(root: Path, build_id: str, time: str) -> Path:
    directory = root / "builds" / build_id / "x86_64"
    directory.mkdir(parents=True)
    unpacked = {"uncompressed-sha256": hashlib.sha256(QCOW2).hexdigest(), "uncompressed-size": len(QCOW2)}
    meta = {
        "buildid": build_id,
        "name": "nestos",
        "ostree-commit": SUM,
        "ostree-content-checksum": SUM,
        "ostree-timestamp": time,
        "ostree-version": build_id,
        "rpm-ostree-inputhash": SUM,
        "coreos-assembler.basearch": "x86_64",
        "coreos-assembler.build-timestamp": time,
        "images": {
            "qemu": entry(directory / f"nestos-{build_id}-qemu.x86_64.qcow2", QCOW2),
            "openstack": entry(
                directory / f"nestos-{build_id}-openstack.x86_64.qcow2.gz", PACKED, **unpacked
            ),
        },
    }
    write(directory / "meta.json", meta)
    write(directory / "commitmeta.json", {"version": build_id})
    return directory


def write(file: Path, content: Any) -> None:
    file.write_text(json.dumps(content))


def index(root: Path, *ids: str) -> None:
    builds = [{"id": name, "arches": ["x86_64"]} for name in ids]
    write(root / "builds/builds.json", {"schema-version": "1.0.0", "builds": builds})


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A build directory to which nothing is to be said."""
    write_build(tmp_path, "1", "2024-01-01T00:00:00Z")
    write_build(tmp_path, "2", "2024-01-02T00:00:00Z")
    index(tmp_path, "2", "1", "0-not-fetched")
    (tmp_path / "builds/latest").symlink_to("2")
    return tmp_path


def newest(root: Path) -> Build:
    return BuildRoot(root).find("2", "x86_64")


def change_meta(root: Path, **changes: Any) -> None:
    file = root / "builds/2/x86_64/meta.json"
    write(file, json.loads(file.read_text()) | changes)


def test_of_a_sound_build_nothing_is_said(root: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    build = newest(root)
    scratch = tmp_path_factory.mktemp("scratch")
    assert complaints_of_layout(build) == []
    assert complaints_of_artifact(build, "qemu") == []
    assert complaints_of_packing(build, "openstack", scratch) == []
    assert list(scratch.iterdir()) == []


def link_to_the_older(root: Path) -> None:
    (root / "builds/latest").unlink()
    (root / "builds/latest").symlink_to("1")


def no_link(root: Path) -> None:
    (root / "builds/latest").unlink()


DEFECTS: dict[str, tuple[Callable[[Path], None], str]] = {
    "latest-is-older": (link_to_the_older, "points to 1, the newest build is 2"),
    "no-latest": (no_link, "no symbolic link"),
    "oldest-first": (lambda root: index(root, "1", "2"), "not in order"),
    "twice": (lambda root: index(root, "2", "2", "1"), "twice"),
    "another-build": (lambda root: change_meta(root, **{"coreos-assembler.basearch": "arm"}), "2/x86_64"),
    "no-version": (lambda root: change_meta(root, **{"ostree-timestamp": ""}), "has no ostree-timestamp"),
    "no-sum": (lambda root: change_meta(root, **{"ostree-commit": "?"}), "ostree-commit is no sum"),
    "other-name": (lambda root: change_meta(root, name="fedora"), "images.qemu is not called fedora-2-"),
    "other-version": (
        lambda root: change_meta(root, **{"ostree-version": "3"}),
        "of version 2, meta.json of 3",
    ),
}


@pytest.mark.parametrize("defect", DEFECTS)
def test_what_is_wrong_with_the_layout_is_said(root: Path, defect: str) -> None:
    plant, words = DEFECTS[defect]
    plant(root)
    assert words in "\n".join(complaints_of_layout(newest(root)))


def test_an_artifact_that_was_changed_is_told(root: Path) -> None:
    file = newest(root).artifact("qemu").path
    file.write_bytes(QCOW2[:-1] + b"x")
    (said,) = complaints_of_artifact(newest(root), "qemu")
    assert "its sha256 is" in said
    file.write_bytes(bytes(len(QCOW2)))
    assert "not a qcow2" in complaints_of_artifact(newest(root), "qemu")[0]
    file.unlink()
    assert "does not exist" in complaints_of_artifact(newest(root), "qemu")[0]


@pytest.mark.parametrize(
    ("packed", "words"),
    [(gzip.compress(QCOW2 + b"more"), "unpacks to"), (PACKED[:-4], "cannot be decompressed")],
    ids=["something-else", "cut-short"],  # the bytes hold the time: workers would collect different tests
)
def test_what_does_not_unpack_to_the_original_is_told(
    root: Path, tmp_path_factory: pytest.TempPathFactory, packed: bytes, words: str
) -> None:
    build = newest(root)
    build.artifact("openstack").path.write_bytes(packed)
    (said,) = complaints_of_packing(build, "openstack", tmp_path_factory.mktemp("scratch"))
    assert words in said

"""A bare image file given on the command line."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from artifact_files import compressed, iso, qcow2, raw_disk

from harness.artifact import Artifact, Format
from harness.errors import ConfigError


def written(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def test_a_qcow2_is_taken_as_it_is(tmp_path: Path) -> None:
    file = written(tmp_path / "disk.qcow2", qcow2())
    artifact = Artifact.from_file(file)
    assert (artifact.format, artifact.ready(tmp_path / "cache")) == (Format.QCOW2, file)


def test_a_relative_path_survives_a_change_of_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written(tmp_path / "disk.qcow2", qcow2())
    monkeypatch.chdir(tmp_path)
    artifact = Artifact.from_file(Path("disk.qcow2"))
    monkeypatch.chdir("/")
    assert artifact.ready().is_absolute()


@pytest.mark.parametrize("name", ["disk.raw", "disk.img"])
def test_a_raw_disk_must_say_so_by_its_name(tmp_path: Path, name: str) -> None:
    assert Artifact.from_file(written(tmp_path / name, raw_disk())).format is Format.RAW
    with pytest.raises(ConfigError, match=r"not a qcow2[\s\S]*name it \.raw"):
        Artifact.from_file(written(tmp_path / "disk", raw_disk()))


def test_an_img_that_is_a_qcow2_is_known_as_one(tmp_path: Path) -> None:
    assert Artifact.from_file(written(tmp_path / "disk.img", qcow2())).format is Format.QCOW2


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("empty.qcow2", b"", "the file is empty"),
        ("page.qcow2", b"<!DOCTYPE html><h1>404</h1>", "HTML page"),
        ("zipped.qcow2", compressed(qcow2(), ".gz"), r"name it with \.gz"),
        ("live.iso", iso(), "--qemu-iso"),
        ("version.qcow2", qcow2(version=9), "qcow2 version 9"),
        ("small.raw", raw_disk(4096), "too small for a disk"),
        ("blank.raw", bytes(1 << 20), "without a partition table"),
    ],
)
def test_what_is_no_disk_image_is_named(tmp_path: Path, name: str, content: bytes, said: str) -> None:
    with pytest.raises(ConfigError, match=said) as caught:
        Artifact.from_file(written(tmp_path / name, content))
    assert caught.value.file == tmp_path / name
    assert caught.value.hint


def test_a_missing_file_and_a_directory_are_told_apart(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no such file"):
        Artifact.from_file(tmp_path / "none.qcow2")
    with pytest.raises(ConfigError, match="is a directory"):
        Artifact.from_file(tmp_path)


def test_an_iso_is_checked_as_an_iso(tmp_path: Path) -> None:
    assert Artifact.from_file(written(tmp_path / "live.iso", iso()), kind="live-iso").format is Format.ISO
    with pytest.raises(ConfigError, match=r"not an ISO[\s\S]*qcow2"):
        Artifact.from_file(written(tmp_path / "no.iso", qcow2()), kind="live-iso")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every file")
def test_an_unreadable_file_is_an_error_of_the_user(tmp_path: Path) -> None:
    file = written(tmp_path / "disk.qcow2", qcow2())
    file.chmod(0)
    with pytest.raises(ConfigError, match="Permission denied"):
        Artifact.from_file(file)


def test_the_identity_changes_with_the_file_and_only_then(tmp_path: Path) -> None:
    file = written(tmp_path / "disk.qcow2", qcow2())
    artifact = Artifact.from_file(file)
    before = artifact.identity()
    assert Artifact.from_file(file).identity() == before
    os.utime(file, ns=(1, 1))
    assert artifact.identity() != before
    other = shutil.copy(file, tmp_path / "other.qcow2")
    assert Artifact.from_file(Path(other)).identity() != artifact.identity()


def test_a_compressed_file_without_a_sum_is_decompressed_once_too(tmp_path: Path) -> None:
    file = written(tmp_path / "disk.qcow2.xz", compressed(qcow2(), ".xz"))
    said: list[str] = []
    ready = [Artifact.from_file(file).ready(tmp_path / "cache", notice=said.append) for _ in range(2)]
    assert ready[0] == ready[1]
    assert ready[0].read_bytes() == qcow2()
    assert len(said) == 1


def test_a_compressed_file_that_holds_no_disk_leaves_nothing_behind(tmp_path: Path) -> None:
    file = written(tmp_path / "disk.qcow2.gz", compressed(b"hello", ".gz"))
    with pytest.raises(ConfigError, match="not a qcow2") as caught:
        Artifact.from_file(file).ready(tmp_path / "cache")
    assert caught.value.file == file
    assert not [p for p in (tmp_path / "cache").rglob("*") if p.is_file() and ".locks" not in p.parts]

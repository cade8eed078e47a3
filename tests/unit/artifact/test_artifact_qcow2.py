"""qcow2 images as qemu-img makes them, whole, cut short, and leading to other files."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from harness.artifact import Artifact
from harness.errors import ConfigError

MIB = 1 << 20


def qemu_img(*words: str | Path) -> None:
    subprocess.run(["qemu-img", *map(str, words)], check=True, stdout=subprocess.DEVNULL)


def image(directory: Path, *options: str) -> Path:
    """A qcow2 of 8 MiB with 3 MiB and a bit of data."""
    raw, made = directory / "raw.img", directory / "disk.qcow2"
    with raw.open("wb") as file:
        file.write(bytes(range(1, 256)) * (3 * MIB // 255) + b"x" * 700)
        file.truncate(8 * MIB + 512)
    qemu_img("convert", "-O", "qcow2", *options, raw, made)
    return made


@pytest.mark.parametrize(
    "options",
    [
        (),
        ("-c",),
        ("-o", "compat=0.10"),
        ("-o", "cluster_size=512"),
        ("-o", "extended_l2=on,cluster_size=64k"),
        ("-o", "preallocation=metadata"),
    ],
    ids=" ".join,
)
def test_a_whole_image_is_taken_and_half_of_it_is_not(tmp_path: Path, options: tuple[str, ...]) -> None:
    made = image(tmp_path, *options)
    Artifact.from_file(made)
    with made.open("r+b") as file:
        file.truncate(made.stat().st_size // 2)
    with pytest.raises(ConfigError, match=r"disk\.qcow2: cut short: its tables name data at"):
        Artifact.from_file(made)


def test_an_empty_image_is_whole(tmp_path: Path) -> None:
    qemu_img("create", "-f", "qcow2", tmp_path / "a.qcow2", "10G")
    Artifact.from_file(tmp_path / "a.qcow2")


def test_a_backing_file_elsewhere_is_refused_by_name(tmp_path: Path) -> None:
    made = tmp_path / "trap.qcow2"
    qemu_img("create", "-f", "qcow2", "-u", "-b", "/etc/shadow", "-F", "raw", made, "1M")
    with pytest.raises(ConfigError, match=r"its backing file is elsewhere on this host: /etc/shadow"):
        Artifact.from_file(made)
    assert Artifact.from_file(made, linked=True).ready() == made


@pytest.mark.parametrize("name", ["../base.qcow2", "nbd://host/x", 'json:{"driver":"file"}', "link"])
def test_no_spelling_leads_out_of_the_directory(tmp_path: Path, name: str) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in/link").symlink_to("/etc/passwd")
    made = tmp_path / "in/trap.qcow2"
    qemu_img("create", "-f", "qcow2", "-u", "-b", name, "-F", "raw", made, "1M")
    with pytest.raises(ConfigError, match="elsewhere on this host"):
        Artifact.from_file(made)


def test_parts_in_the_same_directory_are_checked_like_the_image(tmp_path: Path) -> None:
    base, middle, top = (tmp_path / f"{name}.qcow2" for name in ("base", "middle", "top"))
    qemu_img("create", "-f", "qcow2", base, "1M")
    qemu_img("create", "-f", "qcow2", "-b", base.name, "-F", "qcow2", middle)
    qemu_img("create", "-f", "qcow2", "-b", middle.name, "-F", "qcow2", top)
    Artifact.from_file(top)
    qemu_img("rebase", "-u", "-b", "/etc/shadow", "-F", "raw", middle)
    with pytest.raises(ConfigError, match=r"middle\.qcow2: its backing file is elsewhere"):
        Artifact.from_file(top)
    middle.unlink()
    with pytest.raises(ConfigError, match=r"its backing file does not exist: middle\.qcow2"):
        Artifact.from_file(top)


def test_a_data_file_elsewhere_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    made = tmp_path / "in/trap.qcow2"
    data = tmp_path / "data.raw"
    qemu_img("create", "-f", "qcow2", "-o", f"data_file={data}", made, "1M")
    with pytest.raises(ConfigError, match=f"its data file is elsewhere on this host: {data}"):
        Artifact.from_file(made)


def test_a_header_of_nonsense_is_damaged(tmp_path: Path) -> None:
    made = image(tmp_path)
    with made.open("r+b") as file:
        file.seek(20)
        file.write(b"\xff\xff\xff\xff")
    with pytest.raises(ConfigError, match="damaged"):
        Artifact.from_file(made)

"""Initramfs archives."""

from __future__ import annotations

import gzip
import lzma
import shutil
import subprocess
from pathlib import Path

import pytest

from harness.errors import ConfigError
from harness.installer import cpio

FILES = {"etc/net/b.nmconnection": b"b" * 5, "config.ign": b"{}", "etc/net/a.nmconnection": b"a"}


def test_members_are_sorted_and_directories_come_before_their_first_file() -> None:
    plain = lzma.decompress(cpio.pack(FILES))
    names = [
        plain[at + 110 : plain.index(b"\0", at + 110)].decode()
        for at in range(len(plain))
        if plain.startswith(b"070701", at)
    ]
    assert names == [
        "config.ign",
        "etc",
        "etc/net",
        "etc/net/a.nmconnection",
        "etc/net/b.nmconnection",
        "TRAILER!!!",
    ]


def test_the_bytes_of_an_archive_with_one_file() -> None:
    expected = (
        b"070701" b"00000000" b"00008180" b"00000000" b"00000000" b"00000001" b"00000000" b"00000002"
        b"00000000" b"00000000" b"00000000" b"00000000" b"0000000b" b"00000000" b"config.ign\0" b"\0\0\0"
        b"{}\0\0"
        b"070701" b"00000000" b"00000000" b"00000000" b"00000000" b"00000001" b"00000000" b"00000000"
        b"00000000" b"00000000" b"00000000" b"00000000" b"0000000b" b"00000000" b"TRAILER!!!\0" b"\0\0\0"
    )  # fmt: skip
    packed = cpio.pack({"config.ign": b"{}"})
    assert lzma.decompress(packed) == expected
    assert packed[7] == lzma.CHECK_CRC32, "the kernel unpacks no other check"


@pytest.mark.skipif(shutil.which("cpio") is None, reason="needs cpio")
def test_cpio_reads_it(tmp_path: Path) -> None:
    subprocess.run(
        ["cpio", "-id", "--quiet"], input=lzma.decompress(cpio.pack(FILES)), cwd=tmp_path, check=True
    )
    assert (tmp_path / "etc/net/b.nmconnection").read_bytes() == b"bbbbb"
    assert (tmp_path / "config.ign").stat().st_mode & 0o777 == 0o600


def test_a_sequence_of_archives_is_read_as_the_kernel_does() -> None:
    plain = lzma.decompress(cpio.pack({"x": b"old", "y": b"y"}))
    data = plain + bytes(512) + gzip.compress(plain) + bytes(4) + cpio.pack({"x": b"new"}) + bytes(1024)
    assert cpio.unpack(data) == {"x": b"new", "y": b"y"}
    assert cpio.unpack(bytes(4096)) == {}


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"\x28\xb5\x2f\xfdrest", "zstd"),
        (b"garbage", "unknown format"),
        (cpio.pack({"x": b"1"})[:40] + b"wrong" * 20, "damaged|cut short"),
        (b"070701" + b"zz" * 60, "no number"),
    ],
)
def test_what_is_no_archive_is_said(data: bytes, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        cpio.unpack(data)

"""Files that users name: what counts as one, and the sentence for what does not."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from harness.errors import ConfigError
from harness.util.userfile import open_user_file, read_user_bytes, read_user_text


def refusal(path: Path, **options: int) -> str:
    with pytest.raises(ConfigError) as caught:
        read_user_text(path, **options)
    return str(caught.value)


def test_a_regular_file_is_read_without_its_byte_order_mark(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"\xef\xbb\xbf\xe6\x96\x87\n")
    assert read_user_text(file) == "文\n"


def test_a_named_pipe_and_a_device_are_refused_at_once(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    assert f"{pipe}: expected a regular file, found a named pipe" in refusal(pipe)
    assert "found a device" in refusal(Path("/dev/zero"))
    assert "found a directory" in refusal(tmp_path)


@pytest.mark.parametrize(
    ("name", "why"),
    [("nowhere", "No such file"), ("x" * 300, "name too long"), ("a\0b", "not a file name")],
    ids=["missing", "long", "nul"],
)
def test_what_cannot_be_opened_is_said(tmp_path: Path, name: str, why: str) -> None:
    assert why in refusal(tmp_path / name)


def test_a_file_above_the_limit_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"x" * 11)
    assert read_user_bytes(file, limit=11) == b"x" * 11
    assert "larger than 10 B" in refusal(file, limit=10)


def test_bytes_that_are_not_utf8_are_named_with_their_line(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"\xef\xbb\xbfone\ntwo \xb2\xe2\n")
    assert f"{file}:2: not UTF-8: the byte 0xb2" in refusal(file)


def test_a_shells_process_substitution_counts_as_a_file() -> None:
    code = (
        "import sys, pathlib; from harness.util.userfile import read_user_text as read\n"
        "print(read(pathlib.Path(sys.argv[1])))"
    )
    shell = ["bash", "-c", '"$0" -c "$1" <(sleep 0.2; echo content)', sys.executable, code]
    assert subprocess.run(shell, capture_output=True, check=True).stdout == b"content\n\n"


def test_an_open_file_is_read_to_its_end(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"one\ntwo\n")
    with open_user_file(file) as stream:
        assert stream.readlines() == [b"one\n", b"two\n"]

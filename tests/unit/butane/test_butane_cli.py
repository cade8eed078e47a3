"""`kola butane` as a user types it."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from harness.errors import ConfigError
from kola.cli import butane, commands

GOOD = "variant: nestos\nversion: 1.0.0\nstorag: 1\n"


def call(*arguments: str) -> int:
    return butane.run(commands.parser("butane", butane).parse(arguments))


def test_file_to_standard_output_with_warnings_aside(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = tmp_path / "a.bu"
    source.write_text(GOOD)
    assert call(str(source)) == 0
    captured = capsys.readouterr()
    assert json.loads(captured.out) == {"ignition": {"version": "3.3.0"}}
    assert captured.err == "warning at $.storag, line 3: unused key storag\n"


def test_check_writes_nothing_and_strict_refuses(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = tmp_path / "a.bu"
    source.write_text(GOOD)
    assert call("--check", str(source)) == 0
    assert capsys.readouterr().out == ""
    with pytest.raises(ConfigError, match=r"\$\.storag"):
        call("--strict", str(source))


def test_standard_input_to_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"\xef\xbb\xbf" + GOOD.encode())))
    assert call("-p", "-r", "-o", str(tmp_path / "out"), "-") == 0
    assert (tmp_path / "out").read_text().startswith('{\n  "ignition"')


def test_an_error_in_standard_input_has_its_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(GOOD.encode())))
    with pytest.raises(ConfigError, match=r"^<stdin>:3: \$\.storag: unused key") as caught:
        call("--strict")
    assert caught.value.line == 3


@pytest.mark.parametrize("arguments", [["none.bu"], ["-d", "none", "x.bu"], ["."]])
def test_what_cannot_be_read_is_a_config_error(
    arguments: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError):
        call(*arguments)


def test_bytes_that_are_not_utf8_name_their_line(tmp_path: Path) -> None:
    (tmp_path / "a.bu").write_bytes(b"variant: fcos\nversion: \xff\n")
    with pytest.raises(ConfigError) as caught:
        call(str(tmp_path / "a.bu"))
    assert caught.value.line == 2


@pytest.mark.parametrize("encoding", ["utf-8", "gbk", "iso-8859-1", "ascii"])
def test_standard_output_is_utf8_whatever_the_terminal_speaks(tmp_path: Path, encoding: str) -> None:
    source = tmp_path / "a.bu"
    source.write_text("variant: nestos\nversion: 1.0.0\nstorage: {links: [{path: /etc/文, target: /é}]}\n")
    done = subprocess.run(
        [sys.executable, "-m", "kola.cli.main", "butane", str(source)],
        capture_output=True,
        check=True,
        env={**os.environ, "PYTHONIOENCODING": encoding},
    )
    assert json.loads(done.stdout.decode("utf-8"))["storage"]["links"] == [
        {"path": "/etc/文", "target": "/é"}
    ]

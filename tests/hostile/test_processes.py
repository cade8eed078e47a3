"""A sample in processes of their own: what only an environment, a descriptor or raw bytes can do."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from hostile.judge import LONGEST, SECONDS

KOLA = [sys.executable, "-m", "kola.cli.main"]
SOURCES = str(Path(__file__).parents[2])
GOOD = "variant: nestos\nversion: 1.0.0\n"


def ended(
    *words: str | bytes, cwd: Path | None = None, shell: str = 'exec "$@"', **environment: str | None
) -> tuple[int, str]:
    """The exit status of kola and all it said. `shell` starts it; None takes a variable away."""
    variables = {**os.environ, "PYTHONPATH": SOURCES, **environment}
    done = subprocess.run(
        ["bash", "-c", shell, "bash", *KOLA, *words],
        cwd=cwd,
        env={name: value for name, value in variables.items() if value is not None},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=3 * SECONDS,  # a loaded machine needs seconds to start Python; a hang lasts for ever
    )
    said = done.stdout.decode("utf-8", "replace")
    assert "Traceback" not in said, said
    return done.returncode, said


def refused(*words: str | bytes, **options: str | None) -> str:
    status, said = ended(*words, **options)  # type: ignore[arg-type]
    assert status == 2, said
    assert 0 < len(said) < LONGEST
    return said


@pytest.fixture
def pipe(tmp_path: Path) -> str:
    os.mkfifo(tmp_path / "pipe")
    return str(tmp_path / "pipe")


@pytest.mark.parametrize("kind", ["pipe", "zero"])
@pytest.mark.parametrize(
    "words",
    [
        ("butane",),
        ("check-console",),
        ("run", "--workdir", "none", "--append-butane"),
        ("run", "--workdir", "none", "--append-ignition"),
        ("run", "--workdir", "none", "--qemu-image"),
    ],
    ids=lambda words: words[-1],
)
def test_a_pipe_or_a_device_in_place_of_a_file(
    words: tuple[str, ...], kind: str, pipe: str, tmp_path: Path
) -> None:
    file = pipe if kind == "pipe" else "/dev/zero"
    assert file in refused(*words, file, cwd=tmp_path)


@pytest.mark.parametrize("name", ["kola-denylist.yaml", "manifest.yaml"])
def test_a_pipe_in_place_of_a_file_of_the_build_directory(name: str, tmp_path: Path) -> None:
    (tmp_path / "src/config").mkdir(parents=True)
    (tmp_path / "builds").mkdir()
    os.mkfifo(tmp_path / "src/config" / name)
    refused("run", "--workdir", str(tmp_path), cwd=tmp_path)


@pytest.mark.parametrize(
    "words", [("list", "no-such-\udcb2"), ("butane", "/no/\udcb2\udce2"), ("list", "-E", "\udcb2")]
)
@pytest.mark.parametrize("locale", ["C.UTF-8", "C", "zh_CN.GBK"])
def test_arguments_that_are_not_utf8(words: tuple[str, ...], locale: str, tmp_path: Path) -> None:
    raw = [word.encode("utf-8", "surrogateescape") for word in words]
    refused(*raw, cwd=tmp_path, LC_ALL=locale)


@pytest.mark.parametrize("coding", ["gbk", "iso-8859-1", "ascii"])
@pytest.mark.parametrize("words", [("--help",), ("run", "--help"), ("list",)], ids=" ".join)
def test_output_in_any_encoding(words: tuple[str, ...], coding: str, tmp_path: Path) -> None:
    assert ended(*words, cwd=tmp_path, PYTHONIOENCODING=coding)[0] == 0


def test_a_broken_config_whose_name_no_terminal_shows(tmp_path: Path) -> None:
    file = tmp_path / "文件.bu"
    file.write_text("variant: 文\n")
    refused("butane", str(file), PYTHONIOENCODING="ascii")


def test_standard_input_that_is_closed(tmp_path: Path) -> None:
    refused("butane", cwd=tmp_path, shell='exec "$@" <&-')


def test_a_current_directory_that_is_gone(tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    status, said = ended("list", cwd=gone, shell='rmdir "$PWD"; exec "$@"')
    assert status in (0, 2), said


@pytest.mark.parametrize("home", ["/", "/nonexistent", "", None])
def test_any_home(home: str | None, tmp_path: Path) -> None:
    status, said = ended("list", cwd=tmp_path, HOME=home, XDG_CACHE_HOME=None)
    assert status == 0, said


def test_a_test_tree_of_odd_names_is_listed(tmp_path: Path) -> None:
    tree = tmp_path / "t/tests/kola"
    tree.mkdir(parents=True)
    for name in (b"\xb2\xe2", b"a\nb", b"good", b"[a"):
        (tree / os.fsdecode(name)).write_text("#!/bin/sh\ntrue\n")
        (tree / os.fsdecode(name)).chmod(0o755)
    os.mkfifo(tree / "pipe", 0o755)
    status, said = ended("list", "-E", str(tmp_path / "t"), "ext.t.*", cwd=tmp_path)
    assert status == 0, said
    assert "ext.t.good" in said
    assert "broken: ext.t.%B2%E2" in said

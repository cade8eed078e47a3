"""The command lines of kola that nosa's commands run."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.errors import ConfigError
from kola.cli import commands
from kola.nosa import kola, kola_run, run


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("", "run --output-dir=tmp/kola"),
        ("basic", "run --output-dir=tmp/kola basic"),
        ("run --tag smoke basic", "run --output-dir=tmp/kola --tag smoke basic"),
        ("--build -1 -j 2", "run --build=-1 --output-dir=tmp/kola -j 2"),
        ("testiso --output-dir out", "testiso --output-dir=out"),
        ("--upgrades", "run-upgrade --output-dir=tmp/kola-upgrade"),
        ("list --json", "list --json"),
        ("-- --build", "run --output-dir=tmp/kola -- --build"),
    ],
)
def test_kola(typed: str, expected: str) -> None:
    assert kola.command_lines(typed.split(), {}) == [expected.split()]


def test_the_artifact_directory() -> None:
    assert kola.command_lines([], {"ARTIFACT_DIR": "/a"}) == [["run", "--output-dir=/a/kola"]]


def test_basic_scenarios() -> None:
    lines = kola.command_lines(["--basic-qemu-scenarios"], {})
    assert [line[1] for line in lines] == [
        f"--output-dir=tmp/kola-{n}" for n in ("nvme", "uefi", "uefi-secure")
    ]
    assert "--qemu-memory=1536" in lines[2]
    assert len(kola.command_lines(["--basic-qemu-scenarios", "--skip-secure-boot"], {})) == 2


@pytest.mark.parametrize("typed", ["--build", "--skip-secure-boot", "--upgrades testiso"])
def test_wrong_words(typed: str) -> None:
    with pytest.raises(ConfigError):
        kola.command_lines(typed.split(), {})


def test_every_command_of_kola_is_known() -> None:
    assert {*kola.TESTS, *kola.OTHERS} == {*commands.OWN, "help"}


def test_kola_run() -> None:
    line, output = kola_run.command_line(["-b", "nestos", "--qemu", "a.qcow2", "basic"], "/a")
    assert line == ["run", "--qemu-image=a.qcow2", "--distro=nestos", "--output-dir=/a/kola", "basic"]
    assert output == Path("/a/kola")
    assert kola_run.command_line(["-b", "nestos", "--iso", "a.iso"], "/a")[0][0] == "testiso"


@pytest.mark.parametrize("typed", ["", "--qemu a", "-b n", "-b n --qemu a --iso b"])
def test_kola_run_needs_a_distribution_and_one_file(typed: str) -> None:
    with pytest.raises(ConfigError):
        kola_run.command_line(typed.split(), "tmp")


def test_run(tmp_path: Path) -> None:
    assert run.command_line(["--qemu-image", "a"], tmp_path) == [
        "qemuexec",
        "--devshell",
        "--qemu-image",
        "a",
    ]
    (tmp_path / "tmp").mkdir()
    line = run.command_line(["-x", "true"], tmp_path)
    assert "--devshell" not in line
    assert f"--bind-rw={tmp_path}/tmp,/var/mnt/workdir-tmp" in line

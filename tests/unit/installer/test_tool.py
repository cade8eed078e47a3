"""Which installer is used on this host."""

from __future__ import annotations

import os
import platform
from pathlib import Path

import pytest

from harness.artifact.distro import NESTOS
from harness.errors import ConfigError
from harness.installer.tool import PROGRAM, InstallerTool


@pytest.fixture(autouse=True)
def bare_host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(PROGRAM, raising=False)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def program(path: Path, *, age: float = 0.0) -> Path:
    path.parent.mkdir(parents=True)
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)
    os.utime(path, (1e9 - age, 1e9 - age))
    return path


def compiled(tmp_path: Path, version: str, *, age: float = 0.0) -> Path:
    directory = tmp_path / "cache/kola/installer" / f"{version}-{platform.machine()}"
    return program(directory / NESTOS.installer.program, age=age)


def test_a_host_without_one(tmp_path: Path) -> None:
    program(tmp_path / "cache/kola/installer/0.20.0-1-sparc" / NESTOS.installer.program)
    assert InstallerTool.find(NESTOS) is None


def test_the_newest_compiled_one_is_taken(tmp_path: Path) -> None:
    newest = compiled(tmp_path, "0.20.0-1")
    compiled(tmp_path, "0.9.0-1", age=60)
    assert InstallerTool.find(NESTOS) == InstallerTool(newest)


def test_one_on_the_path_is_preferred_and_a_named_one_most(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    compiled(tmp_path, "0.20.0-1")
    installed = program(tmp_path / "bin" / NESTOS.installer.program)
    assert InstallerTool.find(NESTOS) == InstallerTool(installed)
    named = program(tmp_path / "mine/installer")
    monkeypatch.setenv(PROGRAM, str(named))
    assert InstallerTool.find(NESTOS) == InstallerTool(named)


def test_a_named_one_must_be_a_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(PROGRAM, str(tmp_path / "none"))
    with pytest.raises(ConfigError, match="is no program"):
        InstallerTool.find(NESTOS)

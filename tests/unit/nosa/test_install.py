"""The installation of nosa's commands: originals are kept aside, and come back as they were."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from harness.errors import ConfigError
from kola.cli.main import main
from kola.nosa.install import NAMES, install, uninstall


@pytest.fixture
def nosa(tmp_path: Path) -> Path:
    """A directory of commands: a script, a symlink, and no cmd-run."""
    (tmp_path / "cmd-kola").write_text("#!/bin/sh\nexit 7\n")
    (tmp_path / "cmd-kola").chmod(0o750)
    (tmp_path / "cmd-kola-run").symlink_to("elsewhere")
    return tmp_path


def state(directory: Path) -> dict[str, tuple[int, str]]:
    return {
        str(path.relative_to(directory)): (
            path.lstat().st_mode,
            str(path.readlink()) if path.is_symlink() else path.read_text(),
        )
        for path in sorted(directory.rglob("*"))
        if path.is_symlink() or path.is_file()
    }


@pytest.mark.parametrize("times", [1, 2])
def test_uninstall_restores_exactly(nosa: Path, times: int) -> None:
    before = state(nosa)
    for _ in range(times):
        install(nosa)
    assert all(os.access(nosa / name, os.X_OK) for name in NAMES)
    assert uninstall(nosa) == ["cmd-kola", "cmd-kola-run"]
    assert state(nosa) == before
    assert not (nosa / ".before-kola").exists()


def test_a_file_that_came_later_stays(nosa: Path) -> None:
    install(nosa)
    (nosa / "cmd-kola").write_text("newer\n")
    uninstall(nosa)
    assert (nosa / "cmd-kola").read_text() == "newer\n"
    assert (nosa / ".before-kola/cmd-kola").read_text() == "#!/bin/sh\nexit 7\n"


def test_nothing_to_uninstall_is_an_error(nosa: Path) -> None:
    with pytest.raises(ConfigError, match="not installed"):
        uninstall(nosa)


@pytest.mark.parametrize("action", ["install", "uninstall"])
def test_a_missing_directory_is_one_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], action: str
) -> None:
    assert main(["nosa", action, str(tmp_path / "none")]) == 2
    assert "is not a directory" in capsys.readouterr().err


def test_a_directory_that_cannot_be_written_is_one_error(
    nosa: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "write_text", refuse)
    assert main(["nosa", "install", str(nosa)]) == 2
    assert "Permission denied" in capsys.readouterr().err

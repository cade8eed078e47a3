"""The register of kept machines where this user may not read it."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.errors import ConfigError
from harness.util.paths import require_state
from kola.keep.register import kept_machines


def test_a_register_of_another_user_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As after `sudo -E`. Root may read everything, so the reading itself is replaced."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    (tmp_path / "kola/machines").mkdir(parents=True)

    def refuse(*words: object, **more: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("kola.keep.register.ProcessRecords.locked", refuse)
    with pytest.raises(ConfigError, match="state directory cannot be used: Permission denied") as error:
        kept_machines()
    assert error.value.file == tmp_path / "kola/machines"


def test_a_state_directory_without_permission_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    assert require_state() == tmp_path / "kola"
    monkeypatch.setattr("os.access", lambda path, mode: False)
    with pytest.raises(ConfigError, match="cannot be used: Permission denied"):
        require_state()

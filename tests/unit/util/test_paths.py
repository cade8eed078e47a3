"""The cache directory: where it is, when it cannot be used, and whose it is after sudo."""

from __future__ import annotations

import os
import pwd
from pathlib import Path

import pytest

from harness.errors import ConfigError
from harness.util import paths


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


def test_the_cache_is_where_the_specification_says(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert paths.cache_root() == home / ".cache/kola"
    monkeypatch.setenv("XDG_CACHE_HOME", "/var/tmp/c")
    assert paths.cache_root() == Path("/var/tmp/c/kola")


@pytest.mark.parametrize("value", ["", "relative", "./c"])
def test_a_cache_home_that_is_not_absolute_is_ignored(
    home: Path, monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", value)
    assert paths.cache_root() == home / ".cache/kola"


def test_without_a_home_the_variable_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HOME")
    monkeypatch.setattr(pwd, "getpwuid", lambda uid: {}[uid])
    with pytest.raises(ConfigError, match="no home directory") as caught:
        paths.cache_root()
    assert "XDG_CACHE_HOME" in str(caught.value)


def test_a_cache_is_made(home: Path) -> None:
    assert paths.require_cache() == home / ".cache/kola"
    assert (home / ".cache/kola").is_dir()


def test_a_file_in_the_place_of_the_cache_is_named(home: Path) -> None:
    (home / ".cache").write_text("")
    with pytest.raises(ConfigError, match=r"\.cache/kola: the cache directory cannot be used"):
        paths.require_cache()


def test_a_part_of_the_cache_that_cannot_be_written_names_its_owner(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    templates = home / ".cache/kola/templates"
    templates.mkdir(parents=True)
    (home / ".cache/kola/reference").mkdir()
    access = os.access
    monkeypatch.setattr(os, "access", lambda path, mode: path != templates and access(path, mode))
    monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 1)
    with pytest.raises(ConfigError, match="not writable") as caught:
        paths.require_cache()
    assert f"{templates} belongs to {pwd.getpwuid(os.getuid()).pw_name}: sudo chown -R" in str(caught.value)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_what_sudo_made_in_a_users_home_belongs_to_the_user(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    os.chown(home, 12345, 12345)
    kept = home / ".cache/kola/reference/x/disk.qcow2"
    in_use = home / ".cache/kola/scratch/run"
    for path in (kept, in_use):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    monkeypatch.setenv("SUDO_UID", "12345")
    monkeypatch.setenv("SUDO_GID", "12345")
    paths.give_back_to_sudo_user()
    given = [home / ".cache", home / ".cache/kola", kept.parent, kept]
    assert [path.stat().st_uid for path in given] == [12345] * 4
    assert in_use.stat().st_uid == 0


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_roots_own_cache_stays_roots(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SUDO_UID", "12345")
    monkeypatch.setenv("SUDO_GID", "12345")
    paths.require_cache()
    paths.give_back_to_sudo_user()
    assert (home / ".cache/kola").stat().st_uid == 0

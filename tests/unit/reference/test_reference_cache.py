"""A build comes into the cache whole, once, whoever asks for it and however many ask."""

from __future__ import annotations

import multiprocessing
from pathlib import Path

import pytest

from harness.reference.build.cache import build_once, cache_root, is_finished, locked


def fill(directory: Path) -> None:
    (directory / "builds").mkdir()
    (directory / "builds/builds.json").write_text("{}")


def ignore(_line: str) -> None:
    pass


def fill_and_count(directory: Path) -> None:
    with (directory.parent / "count").open("a") as count:
        count.write("x")
    fill(directory)


def build_after(barrier: object, target: Path) -> None:
    barrier.wait()  # type: ignore[attr-defined]  # the type is private to multiprocessing
    build_once(target, fill_and_count, force=False, progress=ignore)


def test_the_cache_follows_xdg(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_root() == tmp_path / "kola/reference"
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    assert cache_root().is_absolute(), "a relative one is ignored"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cache_root() == tmp_path / ".cache/kola/reference"


def test_a_second_call_builds_nothing(tmp_path: Path) -> None:
    target = tmp_path / "hash"
    assert build_once(target, fill, force=False, progress=ignore)
    assert not build_once(target, fill, force=False, progress=ignore)
    assert is_finished(target)


def test_force_replaces_what_is_there(tmp_path: Path) -> None:
    target = tmp_path / "hash"
    build_once(target, fill, force=False, progress=ignore)
    (target / "stale").touch()
    assert build_once(target, fill, force=True, progress=ignore)
    assert not (target / "stale").exists()


def test_a_failed_build_leaves_nothing(tmp_path: Path) -> None:
    def fail(directory: Path) -> None:
        (directory / "half").touch()
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        build_once(tmp_path / "hash", fail, force=False, progress=ignore)
    assert [path.name for path in tmp_path.iterdir()] == [".hash.lock"]


def test_what_a_killed_build_left_is_removed(tmp_path: Path) -> None:
    leftover = tmp_path / ".building-hash"
    (leftover / "work").mkdir(parents=True)
    build_once(tmp_path / "hash", fill, force=False, progress=ignore)
    assert not leftover.exists()


def test_so_is_what_was_to_become_another_unless_somebody_is_at_work_on_it(tmp_path: Path) -> None:
    killed, living = (tmp_path / f".building-{name}" for name in ("older", "other"))
    killed.mkdir()
    living.mkdir()
    with locked(tmp_path / ".other.lock", ignore):
        build_once(tmp_path / "hash", fill, force=False, progress=ignore)
    assert (killed.exists(), living.exists()) == (False, True)


def test_of_two_that_start_at_once_one_builds(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    barrier = context.Barrier(2)
    processes = [context.Process(target=build_after, args=(barrier, tmp_path / "hash")) for _ in range(2)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(20)
    assert [process.exitcode for process in processes] == [0, 0]
    assert (tmp_path / "count").read_text() == "x"

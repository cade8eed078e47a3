"""Compressed artifacts: once, whole, proved, shared between processes, bounded in size."""

from __future__ import annotations

import multiprocessing
import os
import shutil
import subprocess
import sys
from multiprocessing.queues import Queue
from pathlib import Path

import pytest
from artifact_files import compressed, image, qcow2, sha256

from harness.artifact import Artifact, ArtifactCache, Format
from harness.artifact.cache import cache_limit
from harness.artifact.unpack import Compression, unpack
from harness.errors import ConfigError

SUFFIXES = [
    ".gz",
    ".xz",
    pytest.param(".zst", marks=pytest.mark.skipif(not shutil.which("zstd"), reason="no zstd on this host")),
]


def packed(directory: Path, suffix: str, content: bytes | None = None) -> Artifact:
    content = qcow2() if content is None else content
    entry = image(directory, "disk.qcow2", content, suffix)
    return Artifact(
        kind="qemu",
        path=directory / entry["path"],
        format=Format.QCOW2,
        uncompressed_sha256=entry["uncompressed-sha256"],
        uncompressed_size=entry["uncompressed-size"],
    )


def kept(cache: Path) -> list[Path]:
    """Every file in the cache but the locks."""
    return [p for p in cache.rglob("*") if p.is_file() and ".locks" not in p.parts]


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_it_is_decompressed_under_the_sum_of_its_content(tmp_path: Path, suffix: str) -> None:
    cache = tmp_path / "cache"
    ready = packed(tmp_path, suffix).ready(cache)
    assert ready == cache / "artifacts" / sha256(qcow2()) / "disk.qcow2"
    assert ready.read_bytes() == qcow2()
    assert kept(cache) == [ready]


def test_zeros_become_holes_at_any_place_and_at_the_end(tmp_path: Path) -> None:
    content = bytes(1 << 20) + b"x" + bytes((3 << 20) + 17)
    (tmp_path / "a.gz").write_bytes(compressed(content, ".gz"))
    digest = unpack(tmp_path / "a.gz", tmp_path / "a", Compression.GZIP)
    assert digest == sha256(content)
    assert (tmp_path / "a").read_bytes() == content
    assert (tmp_path / "a").stat().st_blocks * 512 < 1 << 20


def test_a_second_time_does_nothing(tmp_path: Path) -> None:
    artifact = packed(tmp_path, ".gz")
    said: list[str] = []
    first = artifact.ready(tmp_path / "cache", notice=said.append)
    before = first.stat()
    artifact.ready(tmp_path / "cache", notice=said.append)
    after = first.stat()
    assert (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns)
    assert len(said) == 1


def test_a_wrong_sum_shows_both_and_leaves_nothing(tmp_path: Path) -> None:
    artifact = packed(tmp_path, ".gz")
    artifact.path.write_bytes(compressed(qcow2(200_000), ".gz"))
    with pytest.raises(ConfigError) as caught:
        artifact.ready(tmp_path / "cache")
    assert sha256(qcow2()) in str(caught.value)
    assert sha256(qcow2(200_000)) in str(caught.value)
    assert kept(tmp_path / "cache") == []


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("damage", ["cut", "garbage"])
def test_a_damaged_file_is_named_and_leaves_nothing(tmp_path: Path, suffix: str, damage: str) -> None:
    artifact = packed(tmp_path, suffix)
    whole = artifact.path.read_bytes()
    artifact.path.write_bytes(whole[: len(whole) // 2] if damage == "cut" else b"garbage" * 100)
    with pytest.raises(ConfigError, match="cannot be decompressed") as caught:
        artifact.ready(tmp_path / "cache")
    assert caught.value.file == artifact.path
    assert kept(tmp_path / "cache") == []


def test_a_cached_file_cut_short_is_made_again(tmp_path: Path) -> None:
    artifact = packed(tmp_path, ".gz")
    ready = artifact.ready(tmp_path / "cache")
    ready.chmod(0o644)
    os.truncate(ready, 100)
    assert artifact.ready(tmp_path / "cache").read_bytes() == qcow2()


def test_what_a_killed_process_left_is_overwritten(tmp_path: Path) -> None:
    artifact = packed(tmp_path, ".gz")
    entry = tmp_path / "cache/artifacts" / artifact.identity()
    entry.mkdir(parents=True)
    (entry / ".partial").write_bytes(bytes(1 << 20))
    ready = artifact.ready(tmp_path / "cache")
    assert ready.read_bytes() == qcow2()
    assert kept(tmp_path / "cache") == [ready]


def test_what_a_killed_process_left_of_another_entry_goes_too(tmp_path: Path) -> None:
    cache = ArtifactCache(tmp_path)
    program = (
        "import os, signal, sys; from pathlib import Path; from harness.artifact import ArtifactCache\n"
        "def fill(partial):\n"
        "    partial.with_name('ram').write_bytes(bytes(1 << 20))\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
        "ArtifactCache(Path(sys.argv[1])).obtain('half', 'seal', fill=fill)\n"
    )
    environ = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    subprocess.run([sys.executable, "-c", program, str(tmp_path)], env=environ, check=False)
    assert (cache.entries / "half/ram").exists()
    finished = entry(cache, "whole", size=1, used=1)
    cache.obtain("other", "seal", fill=lambda partial: None)
    assert not (cache.entries / "half").exists()
    assert finished.exists()


def test_what_is_being_made_is_not_swept_away(tmp_path: Path) -> None:
    cache = ArtifactCache(tmp_path)

    def fill(partial: Path) -> None:
        (partial.parent / "ram").touch()
        cache.obtain("other", "seal", fill=lambda other: None)

    made = cache.obtain("slow", "seal", fill=fill)
    assert sorted(file.name for file in made.parent.iterdir()) == ["ram", "seal"]


def test_a_discarded_entry_is_made_again_and_goes_when_nobody_uses_it(tmp_path: Path) -> None:
    cache = ArtifactCache(tmp_path)
    made = cache.obtain("key", "seal", fill=lambda partial: None)
    (made.parent / "ram").touch()
    cache.discard("key", "seal")
    cache.discard("key", "seal")
    cache.obtain("other", "seal", fill=lambda partial: None)
    assert (made.parent / "ram").exists(), "this process uses it"
    again = cache.obtain("key", "seal", fill=lambda partial: partial.write_bytes(b"new"))
    assert again.read_bytes() == b"new"


def _get_ready(artifact: Artifact, cache: Path, answers: Queue[tuple[str, int]]) -> None:
    said: list[str] = []
    path = artifact.ready(cache, notice=said.append)
    answers.put((str(path), sum(line.startswith("decompressing") for line in said)))


def test_of_many_processes_one_decompresses(tmp_path: Path) -> None:
    artifact = packed(tmp_path, ".xz", qcow2(4_000_000))
    context = multiprocessing.get_context("spawn")
    answers: Queue[tuple[str, int]] = context.Queue()
    workers = [
        context.Process(target=_get_ready, args=(artifact, tmp_path / "cache", answers)) for _ in range(4)
    ]
    for worker in workers:
        worker.start()
    got = [answers.get(timeout=60) for _ in workers]
    for worker in workers:
        worker.join()
    assert len({path for path, _ in got}) == 1
    assert sum(times for _, times in got) == 1


def entry(cache: ArtifactCache, key: str, *, size: int, used: int) -> Path:
    directory = cache.entries / key
    directory.mkdir(parents=True)
    (directory / "disk").write_bytes(b"x" * size)
    os.utime(directory, (used, used))
    return directory


def test_eviction_takes_the_longest_unused_and_no_more(tmp_path: Path) -> None:
    cache = ArtifactCache(tmp_path)
    old, middle, new = (entry(cache, key, size=100_000, used=n) for n, key in enumerate("cab"))
    assert cache.evict(250_000) == ("c",)
    assert (old.exists(), middle.exists(), new.exists()) == (False, True, True)
    assert cache.evict(250_000) == ()


def test_eviction_spares_what_this_process_uses(tmp_path: Path) -> None:
    ready = packed(tmp_path, ".gz").ready(tmp_path / "cache")
    assert ArtifactCache(tmp_path / "cache").evict(0) == ()
    assert ready.exists()


def test_eviction_spares_what_another_process_uses_until_it_ends(tmp_path: Path) -> None:
    artifact = packed(tmp_path, ".gz")
    program = (
        "import sys; from pathlib import Path; from harness.artifact import ArtifactCache\n"
        "cache, key = ArtifactCache(Path(sys.argv[1])), sys.argv[2]\n"
        "cache.obtain(key, 'disk.qcow2', fill=lambda path: path.write_bytes(b'x'))\n"
        "print('ready', flush=True); sys.stdin.read()\n"
    )
    argv = [sys.executable, "-c", program, str(tmp_path / "cache"), artifact.identity()]
    environ = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    cache = ArtifactCache(tmp_path / "cache")
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"ready\n"
        assert cache.evict(0) == ()
        other.kill()
    assert cache.evict(0) == (artifact.identity(),)
    assert kept(tmp_path / "cache") == []


def test_processes_that_evict_at_once_do_not_trip_over_each_other(tmp_path: Path) -> None:
    cache = ArtifactCache(tmp_path / "cache")
    for number in range(200):
        entry(cache, f"{number}", size=10, used=number)
    program = (
        "import sys; from pathlib import Path; from harness.artifact import ArtifactCache\n"
        "print('ready', flush=True); sys.stdin.readline()\n"
        "ArtifactCache(Path(sys.argv[1])).evict(0)\n"
    )
    argv = [sys.executable, "-c", program, str(cache.root)]
    environ = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    evictors = [
        subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environ) for _ in range(4)
    ]
    for one in evictors:
        assert one.stdout is not None
        assert one.stdout.readline() == b"ready\n"
    for one in evictors:
        assert one.stdin is not None
        one.stdin.write(b"go\n")
        one.stdin.flush()
    for one in evictors:
        one.communicate(timeout=60)
    assert [one.returncode for one in evictors] == [0, 0, 0, 0]
    assert kept(cache.root) == []


def test_filling_keeps_the_cache_within_its_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache = ArtifactCache(tmp_path / "cache")
    old = entry(cache, "old", size=2_000_000, used=1)
    monkeypatch.setenv("KOLA_ARTIFACT_CACHE_SIZE", "1M")
    ready = packed(tmp_path, ".gz").ready(cache.root)
    assert ready.exists()
    assert not old.exists()


def test_the_limit_is_read_from_the_environment_and_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KOLA_ARTIFACT_CACHE_SIZE", raising=False)
    assert cache_limit() == 20 << 30
    monkeypatch.setenv("KOLA_ARTIFACT_CACHE_SIZE", "3G")
    assert cache_limit() == 3 << 30
    monkeypatch.setenv("KOLA_ARTIFACT_CACHE_SIZE", "lots")
    with pytest.raises(ConfigError, match="lots"):
        cache_limit()


def test_use_makes_an_entry_young_again(tmp_path: Path) -> None:
    artifact = packed(tmp_path, ".gz")
    directory = artifact.ready(tmp_path / "cache").parent
    os.utime(directory, (1, 1))
    artifact.ready(tmp_path / "cache")
    assert directory.stat().st_mtime > 1

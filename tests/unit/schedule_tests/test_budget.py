from __future__ import annotations

from pathlib import Path

import pytest
from tests_support_plan import a_plan

from harness.errors import ConfigError
from kola.schedule import budget, host


def a_host(
    root: Path, *, available_kib: int, limit: str | None = None, used: int = 0, quota: str = "max 100000"
) -> Path:
    (root / "proc").mkdir(parents=True)
    (root / "sys/fs/cgroup").mkdir(parents=True)
    (root / "proc/meminfo").write_text(f"MemTotal: 99999 kB\nMemAvailable: {available_kib} kB\n")
    (root / "sys/fs/cgroup/cpu.max").write_text(quota)
    if limit is not None:
        (root / "sys/fs/cgroup/memory.max").write_text(limit)
        (root / "sys/fs/cgroup/memory.current").write_text(str(used))
    return root


def test_memory_is_what_the_host_has(tmp_path: Path) -> None:
    assert host.available_memory(a_host(tmp_path, available_kib=1000)) == 1000 * 1024


def test_memory_is_what_the_cgroup_leaves(tmp_path: Path) -> None:
    root = a_host(tmp_path, available_kib=10_000, limit=str(5 * 1024 * 1024), used=1024 * 1024)
    assert host.available_memory(root) == 4 * 1024 * 1024


def test_page_cache_of_the_cgroup_is_there_for_the_taking(tmp_path: Path) -> None:
    root = a_host(tmp_path, available_kib=10_000, limit=str(5 * 1024 * 1024), used=4 * 1024 * 1024)
    (root / "sys/fs/cgroup/memory.stat").write_text("anon 1\ninactive_file 2097152\nactive_file 1048576")
    assert host.available_memory(root) == 4 * 1024 * 1024


def test_the_least_limit_of_the_cgroups_around_us_counts(tmp_path: Path) -> None:
    root = a_host(tmp_path, available_kib=10_000, limit="max")
    group = root / "sys/fs/cgroup/a.slice/b.scope"
    group.mkdir(parents=True)
    (root / "proc/self").mkdir()
    (root / "proc/self/cgroup").write_text("0::/a.slice/b.scope\n")
    (group.parent / "memory.max").write_text(str(3 * 1024 * 1024))
    (group.parent / "memory.current").write_text(str(1024 * 1024))
    assert host.available_memory(root) == 2 * 1024 * 1024
    assert host.total_memory(root) == 3 * 1024 * 1024


def test_what_a_holder_has_is_that_of_all_below_it(tmp_path: Path) -> None:
    root = a_host(tmp_path, available_kib=1)
    for pid, parent, anon in ((10, 1, 5), (11, 10, 100), (12, 11, 200), (13, 1, 400)):
        (root / f"proc/{pid}").mkdir()
        (root / f"proc/{pid}/stat").write_text(f"{pid} (a ) b) S {parent} 0")
        (root / f"proc/{pid}/status").write_text(f"Name: x\nRssAnon:  {anon} kB\nRssFile: 9 kB\n")
    assert host.resident_memory([10], root) == {10: 300 * 1024}


def test_an_unlimited_cgroup_leaves_all(tmp_path: Path) -> None:
    root = a_host(tmp_path, available_kib=1000, limit="max")
    assert host.available_memory(root) == 1000 * 1024


def test_cpus_are_capped_by_the_quota_rounded_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(host.os, "sched_getaffinity", lambda pid: set(range(8)))
    assert host.cpus(a_host(tmp_path, available_kib=1, quota="150000 100000")) == 2


def test_workers_fit_into_memory(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(budget, "available_memory", lambda: 3 * 1400 * 1024 * 1024)
    monkeypatch.setattr(budget, "cpus", lambda: 64)
    plan = a_plan(tmp_path, tests=tuple(f"t{n}" for n in range(50)))
    assert budget.workers("auto", plan) == 3


def test_no_more_workers_than_tests(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(budget, "available_memory", lambda: 1 << 50)
    assert budget.workers("2", a_plan(tmp_path, tests=("only",))) == 1


def test_no_more_workers_than_the_user_allows_memory_for(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("KOLA_MEMORY", "3G")
    monkeypatch.setattr(budget, "available_memory", lambda: 1 << 50)
    monkeypatch.setattr(budget, "cpus", lambda: 64)
    plan = a_plan(tmp_path, tests=tuple(f"t{n}" for n in range(50)))
    assert budget.workers("auto", plan) == 2
    monkeypatch.setenv("KOLA_MEMORY", "much")
    with pytest.raises(ConfigError, match="KOLA_MEMORY: not a size"):
        budget.workers("auto", plan)


@pytest.mark.parametrize("text", ["0", "-1", "many", "1.5", ""])
def test_a_number_of_workers_that_is_none(text: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="--parallel"):
        budget.workers(text, a_plan(tmp_path, tests=("t",)))

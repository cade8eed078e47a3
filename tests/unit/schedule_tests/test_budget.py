from __future__ import annotations

from pathlib import Path

import pytest
from tests_support_plan import a_plan

from harness.errors import ConfigError
from kola.schedule import budget


def host(
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
    assert budget.available_memory(host(tmp_path, available_kib=1000)) == 1000 * 1024


def test_memory_is_what_the_cgroup_leaves(tmp_path: Path) -> None:
    root = host(tmp_path, available_kib=10_000, limit=str(5 * 1024 * 1024), used=1024 * 1024)
    assert budget.available_memory(root) == 4 * 1024 * 1024


def test_an_unlimited_cgroup_leaves_all(tmp_path: Path) -> None:
    root = host(tmp_path, available_kib=1000, limit="max")
    assert budget.available_memory(root) == 1000 * 1024


def test_cpus_are_capped_by_the_quota_rounded_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(budget.os, "sched_getaffinity", lambda pid: set(range(8)))
    assert budget.cpus(host(tmp_path, available_kib=1, quota="150000 100000")) == 2


def test_workers_fit_into_memory(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(budget, "available_memory", lambda: 3 * 1400 * 1024 * 1024)
    monkeypatch.setattr(budget, "cpus", lambda: 64)
    plan = a_plan(tmp_path, tests=tuple(f"t{n}" for n in range(50)))
    assert budget.workers("auto", plan) == 3


def test_no_more_workers_than_tests(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(budget, "available_memory", lambda: 1 << 50)
    assert budget.workers("2", a_plan(tmp_path, tests=("only",))) == 1


@pytest.mark.parametrize("text", ["0", "-1", "many", "1.5", ""])
def test_a_number_of_workers_that_is_none(text: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="--parallel"):
        budget.workers(text, a_plan(tmp_path, tests=("t",)))

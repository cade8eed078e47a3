from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from fleets import GIB, StandInHost, fleet, fleet_of
from plan_samples import a_plan

from harness.errors import ConfigError
from harness.platform.fleet import Member
from harness.util import host
from kola.schedule import budget


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


def version_1(root: Path, path: str = "/") -> tuple[Path, Path]:
    """The directories of our groups below the trees of version 1, as openEuler mounts them."""
    (root / "proc/self").mkdir(parents=True, exist_ok=True)
    (root / "proc/self/cgroup").write_text(f"5:memory:{path}\n4:cpu,cpuacct:{path}\n1:name=systemd:{path}\n")
    groups = [root / "sys/fs/cgroup" / controller / path[1:] for controller in ("memory", "cpu,cpuacct")]
    for group in groups:
        group.mkdir(parents=True, exist_ok=True)
    (root / "sys/fs/cgroup/cpu").symlink_to("cpu,cpuacct")
    return groups[0], groups[1]


@pytest.mark.parametrize("path", ["/", "/system.slice/ci.service"])
def test_limits_of_version_1_count_as_those_of_version_2(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    monkeypatch.setattr("os.sched_getaffinity", lambda _: set(range(8)))
    root = a_host(tmp_path, available_kib=90_000)
    memory, cpu = version_1(root, path)
    (memory / "memory.limit_in_bytes").write_text(f"{8 * 1024 * 1024}\n")
    (memory / "memory.usage_in_bytes").write_text(f"{6 * 1024 * 1024}\n")
    (memory / "memory.stat").write_text("cache 1\ntotal_inactive_file 1048576\ntotal_active_file 1048576\n")
    (cpu / "cpu.cfs_quota_us").write_text("150000\n")
    (cpu / "cpu.cfs_period_us").write_text("100000\n")
    assert host.total_memory(root) == 8 * 1024 * 1024
    assert host.available_memory(root) == 4 * 1024 * 1024
    assert host.cpus(root) == 2


def test_version_1_without_limits_leaves_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.sched_getaffinity", lambda _: set(range(8)))
    root = a_host(tmp_path, available_kib=90_000)
    before = host.total_memory(root)
    memory, cpu = version_1(root)
    (memory / "memory.limit_in_bytes").write_text("9223372036854771712\n")
    (memory / "memory.usage_in_bytes").write_text("4096\n")
    (cpu / "cpu.cfs_quota_us").write_text("-1\n")
    (cpu / "cpu.cfs_period_us").write_text("100000\n")
    assert host.total_memory(root) == before
    assert host.cpus(root) == 8


def hosts(**changes: int) -> tuple[Member, ...]:
    large = StandInHost(total=1 << 50, available=1 << 50, cpus=64)
    return fleet_of(replace(large, **changes)).members  # type: ignore[arg-type]  # numbers only


def test_workers_fit_into_memory(tmp_path: Path) -> None:
    plan = a_plan(tmp_path, tests=tuple(f"t{n}" for n in range(50)))
    assert budget.workers("auto", plan, hosts(available=3 * 1400 * 1024 * 1024)) == 3


def test_no_more_workers_than_tests(tmp_path: Path) -> None:
    assert budget.workers(2, a_plan(tmp_path, tests=("only",)), hosts()) == 1


def test_no_more_workers_than_the_user_allows_memory_for(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("KOLA_MEMORY", "3G")
    plan = a_plan(tmp_path, tests=tuple(f"t{n}" for n in range(50)))
    assert budget.workers("auto", plan, hosts()) == 2
    monkeypatch.setenv("KOLA_MEMORY", "much")
    with pytest.raises(ConfigError, match="KOLA_MEMORY: not a size"):
        budget.workers("auto", plan, hosts())


def test_a_pool_has_the_cpus_and_the_memory_of_all_its_hosts(tmp_path: Path) -> None:
    plan = a_plan(tmp_path, tests=tuple(f"t{n}" for n in range(50)))
    pool = fleet(a=StandInHost(cpus=4, available=64 * GIB), b=StandInHost(cpus=3, available=64 * GIB))
    assert budget.workers("auto", plan, pool.members) == 7
    small = fleet(a=StandInHost(cpus=4, available=1400 << 20), b=StandInHost(cpus=3, available=2800 << 20))
    assert budget.workers("auto", plan, small.members) == 3


def test_what_running_machines_are_promised_is_no_room(tmp_path: Path) -> None:
    plan = a_plan(tmp_path, tests=tuple(f"t{n}" for n in range(50)))
    assert budget.workers("auto", plan, hosts(available=3 * 1400 << 20, promised=1400 << 20)) == 2


def test_daemons_of_one_machine_share_its_room_and_the_file_allows_less(tmp_path: Path) -> None:
    plan = a_plan(tmp_path, tests=tuple(f"t{n}" for n in range(50)))
    twins = fleet(a=StandInHost(cpus=4, available=64 * GIB, place="p"), b=StandInHost(cpus=4, place="p"))
    assert budget.workers("auto", plan, twins.members) == 2  # b says that 3 GiB are available
    limited = fleet_of(StandInHost(cpus=8, available=64 * GIB), machines=2).members
    assert budget.workers("auto", plan, limited) == 2
    assert budget.workers(5, plan, limited) == 2

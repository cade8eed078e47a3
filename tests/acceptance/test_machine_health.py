"""Every sign of trouble fails the check under a name of its own, and a test may opt out of that name."""

from __future__ import annotations

from typing import Any

import pytest
from fakes.lab import Lab

from harness.errors import MachineFailure
from harness.machine.machine import Machine
from harness.machine.signs import PATTERNS

SIGNS = {
    "kernel-oops": "BUG: unable to handle page fault; Oops: 0002 [#1] PREEMPT SMP",
    "kernel-warning": "WARNING: CPU: 0 PID: 1 at kernel/fork.c:1 copy_process+0x1/0x2",
    "disk-failure": "sd 0:0:0:0: rejecting I/O to offline device",
    "ext4-delayed-allocation": "EXT4-fs (vda4): Delayed block allocation failed for inode 1 "
    "at logical offset 2 with max blocks 3 with error 28",
    "grub-memory-corruption": "error: alloc magic is broken at 0x7fe4",
    "ignition-fetch-cancelled": "ignition[512]: failed to fetch config: context canceled",
    "initrd-cleanup-terminated": "initrd-cleanup.service: Main process exited, code=killed, status=15/TERM",
    "go-panic": "panic: runtime error: index out of range",
    "segfault": "thing.service: Main process exited, code=dumped, status=11/SEGV",
    "core-dump": "Process 712 (thing) of user 0 terminated abnormally, core dumped",
    "systemd-ordering-cycle": "sysinit.target: Ordering cycle found, skipping local-fs.target",
    "kernel-bug": "kernel BUG at fs/foo.c:77!",
    "general-protection-fault": "general protection fault: 0000 [#1] SMP",
    "kernel-memory-error": "BUG: KASAN: use-after-free in thing+0x1/0x2",
    "ubsan": "UBSAN: shift-out-of-bounds in thing.c:12:3",
    "hung-task": "INFO: task thing:712 blocked for more than 120 seconds.",
    "lockdep": "WARNING: possible circular locking dependency detected",
    "scheduling-while-atomic": "BUG: scheduling while atomic: thing/1/0x00000002",
    "filesystem-error": "EXT4-fs (vda4): Remounting filesystem read-only",
    "kernel-hard-lockup": "watchdog: Watchdog detected hard LOCKUP on cpu 1",
    "oom-killer": "thing invoked oom-killer: gfp_mask=0xcc0, order=0",
    "systemd-generator-failure": "/usr/lib/systemd/system-generators/thing failed with exit status 1.",
}
STARVED = {
    "kernel-soft-lockup": "watchdog: BUG: soft lockup - CPU#0 stuck for 22s!",
    "rcu-stall": "rcu: INFO: rcu_preempt self-detected stall on CPU",
}
STORM = [f"bond0: link status up for interface eth{number}, enabling it in 200 ms" for number in range(10)]
GUEST = {
    "failed-unit": {"failed_units": ["thing.service"]},
    "restart-loop": {"restarting_units": {"thing.service": 3}},
    "system-state": {"state": "maintenance"},
    "avc-denial": {"boots": [{"journal": ['audit: avc:  denied  { read } for  pid=1 comm="thing"']}]},
}


def booted(lab: Lab, **plan: Any) -> Machine:
    lab.fake.plan(**plan)
    machine = lab.boot()
    machine.journal.wait_for("Startup finished", timeout=50)
    return machine


@pytest.mark.parametrize("name", sorted(SIGNS))
def test_a_line_on_the_console_fails_the_check_by_name(lab: Lab, name: str) -> None:
    machine = booted(lab, boots=[{"console": [f"[   12.345678] {SIGNS[name]}"]}])
    machine.console.expect("login: ", timeout=50)
    with pytest.raises(MachineFailure) as caught:
        machine.check_health()
    assert caught.value.cause == name
    assert "console line" in str(caught.value)


def test_a_guest_that_opens_no_session_any_more_is_named(lab: Lab) -> None:
    machine = booted(lab, commands=[{"match": "@state", "status": 254}])
    with pytest.raises(MachineFailure, match="ends at once with status 254") as caught:
        machine.check_health()
    assert caught.value.cause == "login-session"


def test_the_same_in_the_journal_is_found_as_well(lab: Lab) -> None:
    machine = booted(lab, boots=[{"journal": [SIGNS["oom-killer"]]}])
    with pytest.raises(MachineFailure, match="journal line") as caught:
        machine.check_health()
    assert caught.value.cause == "oom-killer"


def test_ten_link_messages_make_a_storm_and_nine_do_not(lab: Lab) -> None:
    with pytest.raises(MachineFailure) as caught:
        booted(lab, boots=[{"journal": STORM}]).check_health()
    assert caught.value.cause == "bonding-storm"
    assert booted(lab, boots=[{"journal": STORM[:9]}]).check_health() == []


def test_no_pattern_is_without_a_test() -> None:
    ends_the_boot = {"kernel-panic", "emergency-shell", "dracut-fatal"}
    covered = {*SIGNS, *ends_the_boot, "bonding-storm", *STARVED}
    assert {pattern.cause for pattern in PATTERNS} == covered


def test_dracut_giving_up_ends_the_boot(lab: Lab) -> None:
    lab.fake.plan(boots=[{"console": ["dracut: Refusing to continue"], "delay": 30}])
    with pytest.raises(MachineFailure) as caught:
        lab.boot()
    assert caught.value.cause == "dracut-fatal"


@pytest.mark.parametrize("name", sorted(GUEST))
def test_what_the_guest_itself_reports_fails_by_name(lab: Lab, name: str) -> None:
    machine = booted(lab, **GUEST[name])
    with pytest.raises(MachineFailure) as caught:
        machine.check_health()
    assert caught.value.cause == name


@pytest.mark.parametrize("name", ["failed-unit", "avc-denial"])
def test_opting_out_of_a_name_silences_that_name_alone(lab: Lab, name: str) -> None:
    console = [SIGNS["kernel-oops"]]
    plan = GUEST[name] | {"boots": [{"console": console, **GUEST[name].get("boots", [{}])[0]}]}
    machine = booted(lab, **plan)
    machine.console.expect("login: ", timeout=50)
    with pytest.raises(MachineFailure) as caught:
        machine.check_health(opt_out=[name])
    assert caught.value.cause == "kernel-oops"
    assert booted(lab, **GUEST[name]).check_health(opt_out=[name]) == []


def test_a_core_dump_is_found_where_systemd_puts_it(lab: Lab) -> None:
    with pytest.raises(MachineFailure, match=r"core\.thing\.1") as caught:
        booted(lab, core_dumps=["core.thing.1.zst"]).check_health()
    assert caught.value.cause == "core-dump"


def test_a_failed_unit_brings_its_own_words(lab: Lab) -> None:
    with pytest.raises(MachineFailure, match=r"unit thing\.service has failed") as caught:
        booted(lab, failed_units=["thing.service"]).check_health()
    assert "status=1/FAILURE" in caught.value.evidence


def test_a_unit_that_restarted_once_is_left_in_peace(lab: Lab) -> None:
    assert booted(lab, restarting_units={"thing.service": 1}).check_health() == []


@pytest.mark.parametrize("name", sorted(STARVED))
def test_what_a_busy_host_may_cause_is_a_warning(lab: Lab, name: str) -> None:
    warnings = booted(lab, boots=[{"journal": [STARVED[name]]}]).check_health()
    assert [(warning.cause, warning.warn_only) for warning in warnings] == [(name, True)]


@pytest.mark.parametrize("message", [SIGNS["go-panic"], "audit: avc:  denied  { read } for  pid=1"])
def test_what_was_reported_once_is_not_reported_again(lab: Lab, message: str) -> None:
    machine = booted(lab, boots=[{"journal": [message]}])
    with pytest.raises(MachineFailure):
        machine.check_health()
    assert machine.check_health() == []


def test_trouble_in_the_middle_of_a_test_is_found_after_it(lab: Lab) -> None:
    machine = booted(lab, commands=[{"match": "^break", "journal": [SIGNS["segfault"]]}])
    assert machine.check_health() == []
    machine.run("break").check()
    machine.journal.wait_for("SEGV", timeout=50)
    with pytest.raises(MachineFailure) as caught:
        machine.check_health()
    assert caught.value.cause == "segfault"

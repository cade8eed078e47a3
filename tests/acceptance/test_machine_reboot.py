"""Reboots are proved by a new boot id, and each way of not coming back is told."""

from __future__ import annotations

import pytest
from fakes.lab import Lab, within

from harness.errors import DeadlineExceeded, InfrastructureError, MachineFailure
from harness.machine.ssh import CommandFailed
from harness.util.deadline import Deadline


def test_a_reboot_gives_a_new_boot_and_keeps_files(lab: Lab) -> None:
    machine = lab.boot()
    machine.file("/etc/kept").write("here\n")
    before = machine.boot_id
    with within(10):
        machine.reboot()
    assert machine.boot_id != before
    assert machine.file("/etc/kept").text == "here\n"


def test_two_reboots_in_a_row(lab: Lab) -> None:
    machine = lab.boot()
    seen = [machine.boot_id]
    for _ in range(2):
        machine.reboot()
        seen.append(machine.boot_id)
    assert len(set(seen)) == 3


def test_a_reboot_without_a_word_is_noticed(lab: Lab) -> None:
    lab.fake.plan(commands=[{"match": "^reboot -ff", "hang": True, "then": "reset", "times": 1}])
    machine = lab.boot()
    before = machine.boot_id
    with within(10):
        machine.reboot("reboot -ff")
    assert machine.boot_id != before


def test_a_reset_from_outside_is_a_reboot(lab: Lab) -> None:
    machine = lab.boot()
    before = machine.boot_id
    machine.instance.reset()
    with within(10):
        machine.drop_connection()
        machine.wait_reachable()
    assert machine.boot_id != before


def test_a_machine_that_does_not_come_back_is_not_waited_for_beyond_the_deadline(lab: Lab) -> None:
    lab.fake.plan(boots=[{}, {"fault": "silence"}])
    machine = lab.boot()
    machine.limit(Deadline(2))
    with within(10), pytest.raises(DeadlineExceeded, match="sshd"):
        machine.reboot()


def test_a_machine_that_panics_on_its_way_up_is_named(lab: Lab) -> None:
    lab.fake.plan(boots=[{}, {"fault": "kernel-panic"}])
    machine = lab.boot()
    with within(8), pytest.raises(MachineFailure) as caught:
        machine.reboot()
    assert caught.value.cause == "kernel-panic"


@pytest.mark.parametrize(("fault", "name"), [("no-dhcp", "no-network"), ("sshd-refuses", "ssh-refused")])
def test_a_network_lost_with_the_reboot_is_named(lab: Lab, fault: str, name: str) -> None:
    lab.fake.plan(boots=[{}, {"fault": fault}])
    machine = lab.boot()
    with within(20), pytest.raises(MachineFailure) as caught:
        machine.reboot()
    assert caught.value.cause == name


def test_a_boot_id_that_stays_is_no_reboot(lab: Lab) -> None:
    lab.fake.plan(boots=[{}, {"keep_boot_id": True}])
    machine = lab.boot()
    machine.limit(Deadline(3))
    with within(10), pytest.raises(DeadlineExceeded, match="go down for its reboot"):
        machine.reboot()


def test_a_reboot_that_is_refused_says_so_at_once(lab: Lab) -> None:
    words = "Call to Reboot failed: Access denied\n"
    lab.fake.plan(commands=[{"match": "systemctl reboot", "status": 1, "stderr": words}])
    machine = lab.boot()
    with within(5), pytest.raises(CommandFailed, match="Access denied"):
        machine.reboot()


def test_an_unwell_boot_after_a_well_one_fails_the_reboot(lab: Lab) -> None:
    lab.fake.plan(boots=[{}, {"console": ["[   12.1] BUG: Oops: 0002 [#1] PREEMPT SMP"]}])
    machine = lab.boot()
    assert machine.check_health() == []
    with pytest.raises(MachineFailure) as caught:
        machine.reboot()
    assert caught.value.cause == "kernel-oops"


def test_powering_off_ends_qemu(lab: Lab) -> None:
    machine = lab.boot()
    with within(8):
        machine.power_off()
    assert not machine.instance.running
    assert lab.fake.left_behind(patience=1) == []


def test_a_machine_that_does_not_power_off_is_told(lab: Lab) -> None:
    lab.fake.plan(commands=[{"match": "systemctl poweroff"}])
    machine = lab.boot()
    machine.limit(Deadline(1))
    with within(6), pytest.raises(DeadlineExceeded, match="power off"):
        machine.power_off()


def test_qemu_that_dies_during_a_reboot_is_the_cause(lab: Lab) -> None:
    lab.fake.plan(boots=[{}, {"fault": "qemu-exit"}])
    machine = lab.boot()
    with within(8), pytest.raises(InfrastructureError) as caught:
        machine.reboot()
    assert caught.value.cause == "qemu-exited"

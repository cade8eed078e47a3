"""Kernel arguments are changed with the next boot."""

from __future__ import annotations

import pytest

from harness.machine.machine import Machine
from testsuites.rpm_ostree import booted
from testsuites.rpmostree.layered import ARGUMENTS, BEFORE, STAGED, layered

pytestmark = pytest.mark.kola(tags=["rpm-ostree", "kargs"])


@pytest.mark.kola(name="rpmostree.kargs")
@pytest.mark.machine(prepare=layered)
def test_kernel_arguments(machine: Machine) -> None:
    """`rpm-ostree kargs --append` is in force after a reboot and not before, and the commit is the same."""
    running, staged = booted(machine).checksum, machine.file(STAGED).text
    assert running == staged, f"commit {running} runs, and {staged} was staged"
    before = machine.file(BEFORE).text.split()
    assert not set(ARGUMENTS) & set(before), "they were in force before the reboot"
    words = machine.run("cat /proc/cmdline").check().stdout.split()
    added = [word for word in words if word not in before and not word.startswith("ostree=")]
    assert added == [*ARGUMENTS], f"the kernel got {' '.join(added)} besides, not {' '.join(ARGUMENTS)}"
    again = f"rpm-ostree kargs --append-if-missing={ARGUMENTS[1]} --unchanged-exit-77"
    status = machine.run(again, sudo=True).status
    assert status == 77, f"`{again}` ends with status {status}, not 77"

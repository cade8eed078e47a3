"""Kernel arguments are changed with the next boot."""

from __future__ import annotations

import pytest

from harness.machine.machine import Machine
from testsuites.rpm_ostree import deployments

pytestmark = pytest.mark.kola(tags=["rpm-ostree", "kargs"])


@pytest.mark.kola(name="rpmostree.kargs")
def test_kernel_arguments(machine: Machine) -> None:
    """`rpm-ostree kargs --append` is in force after a reboot, and the commit is the same."""
    machine.run("rpm-ostree kargs --append=kola.one=1 --append-if-missing=kola.two", sudo=True).check()
    first, second = deployments(machine)
    assert first.checksum == second.checksum
    assert "kola.one" not in machine.run("cat /proc/cmdline").check().stdout
    machine.reboot()
    words = machine.run("cat /proc/cmdline").check().stdout.split()
    assert {"kola.one=1", "kola.two"} <= set(words)
    assert (
        machine.run("rpm-ostree kargs --append-if-missing=kola.two --unchanged-exit-77", sudo=True).status
        == 77
    )

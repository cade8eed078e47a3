"""A power cut in the middle of an upgrade leaves a system that boots."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable

import pytest

from harness.machine.machine import Machine
from harness.machine.ssh import ConnectionLost
from testsuites.rpm_ostree import booted, commit_new_version, deployments

pytestmark = pytest.mark.kola(tags=["rpm-ostree", "rollback", "upgrade"])

# systemd's console message when it begins to write the staged deployment to the boot loader.
_FINALIZING = r"Stopping .*(?:ostree-finalize-staged|OSTree Finalize|Finalize Staged)"


def _staged(machine: Machine) -> None:
    """Stage an update and do nothing else."""
    machine.run("rpm-ostree rebase :local-branch", sudo=True, timeout=300).check()


def _while_deploying(machine: Machine) -> None:
    """Start the command and wait two seconds, so that it is at work."""
    machine.run("systemd-run --unit=kola-rebase rpm-ostree rebase :local-branch", sudo=True).check()
    time.sleep(2)


def _while_finalizing(machine: Machine) -> None:
    """Shut down, and wait until the boot entries are being written."""
    _staged(machine)
    machine.console.discard()
    with contextlib.suppress(ConnectionLost):
        machine.run("systemctl reboot", sudo=True, timeout=30)
    machine.console.expect(_FINALIZING, timeout=60)


@pytest.mark.kola(name="rollback.power-cut", timeout="15m")
@pytest.mark.parametrize(
    "until", [_while_deploying, _staged, _while_finalizing], ids=["deploying", "staged", "finalizing"]
)
def test_a_power_cut_leaves_a_system_that_boots(machine: Machine, until: Callable[[Machine], None]) -> None:
    """The old or the new system boots, whole, after a cut while deploying, when staged, or while finalizing.

    Unwritten data is lost as in a power cut; afterwards an upgrade works.
    """
    old = booted(machine)
    commit = commit_new_version(machine, "kola-test-1.0")
    machine.run("sync", sudo=True).check()
    until(machine)
    machine.power_cut()
    assert booted(machine).checksum in (old.checksum, commit)
    if booted(machine).checksum == old.checksum:
        machine.run("rpm-ostree rebase :local-branch", sudo=True, timeout=300)
        assert deployments(machine)[0].checksum == commit

"""The rpm database and the files of the system, held against each other."""

from __future__ import annotations

import pytest

from harness.artifact import Distro
from harness.machine.machine import Machine
from testsuites.audit import packages
from testsuites.audit.finding import Finding
from testsuites.audit.judging import Judge
from testsuites.audit.proofs import broken_packages
from testsuites.audit.record import Record


@pytest.mark.kola(name="audit.packages.files-are-their-packages", tags=["audit", "rpm"])
def test_files_are_their_packages(machine: Machine, record: Record, distro: Distro, judge: Judge) -> None:
    """`rpm -V` of all packages finds no file below /usr changed but those the distribution changes."""
    # A program is covered by another: who does not see that sees nothing.
    machine.run("mount --bind /usr/bin/rpm /usr/bin/rpmkeys", sudo=True).check()
    proof = machine.run("rpm -Vf --nodeps --noscripts /usr/bin/rpmkeys; umount /usr/bin/rpmkeys", sudo=True)
    said = machine.run(packages.VERIFY, sudo=True, timeout=280).stdout.splitlines()
    found = packages.unverified(said, distro) + broken_packages(record)
    if not packages.unverified(proof.stdout.splitlines(), distro):
        found.append(Finding("the tool works", "rpm", "`rpm -V` does not see that a program is another"))
    judge(found, "rpm_differences")

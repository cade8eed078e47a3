"""The source of updates, and the state that an upgrade keeps."""

from __future__ import annotations

import pytest

from harness.artifact import Build, Distro
from harness.machine.machine import Machine
from testsuites.audit import commit, updates
from testsuites.audit.collection import Collection
from testsuites.audit.finding import assert_none
from testsuites.audit.record import Record
from testsuites.audit.states import (
    ADDED,
    ADDED_TEXT,
    BEFORE,
    CHANGED,
    CHANGED_TEXT,
    LINK,
    REMOVED,
    VERSION,
    upgraded,
)
from testsuites.rpm_ostree import deployments
from testsuites.rpmostree.packages import PROBE

pytestmark = pytest.mark.kola(tags=["audit", "ostree"])


@pytest.mark.kola()
def test_remotes(record: Record, distro: Distro) -> None:
    """The remotes, their URLs and verification are the build's."""
    assert_none(updates.remotes(record, distro))


@pytest.mark.kola(guide="5.5.4")
def test_origin(record: Record, distro: Distro, build: Build) -> None:
    """One deployment is there: the build's commit, unchanged and whole, of the build's remote."""
    found = updates.origins(record, distro, commit=build.meta.ostree_commit)
    found += commit.commit_is_whole(record)
    assert_none([*found, *updates.os_release(record, distro, build.meta.ostree_version)])


@pytest.mark.kola()
def test_an_update_has_room(record: Record) -> None:
    """The root and /boot have room for another deployment, with its kernel and initramfs."""
    assert_none(updates.room(record))


@pytest.mark.kola(timeout="15m", guide="10.2.2#upgrade", tags=["audit", "rpm-ostree"])
@pytest.mark.machine(prepare=upgraded)
def test_upgrade_keeps_kernel_arguments(collection: Collection, machine: Machine, distro: Distro) -> None:
    """After an upgrade both boot entries have all kernel arguments that there were before."""
    before = machine.file(f"{BEFORE}/cmdline").text.split()
    assert_none(updates.kept_arguments(collection.record("upgraded"), before))


@pytest.mark.kola(timeout="15m", guide="10.2.2#upgrade", tags=["audit", "rpm-ostree"])
@pytest.mark.machine(prepare=upgraded)
def test_upgrade_keeps_etc(machine: Machine) -> None:
    """Files of /etc that were added, changed or removed stay so after an upgrade."""
    added = machine.run(["cat", ADDED], sudo=True)
    mode, owner, target = machine.run(
        f"stat -c '%a %U:%G' {ADDED} || echo none none; readlink {LINK} || echo nowhere", sudo=True
    ).stdout.split()
    kept = {
        f"{ADDED}, which was added, is gone": added.ok,
        f"{ADDED} has other content": not added.ok or added.stdout == f"{ADDED_TEXT}\n",
        f"{ADDED} has mode {mode} and owner {owner}, not 640 and root:adm": (mode, owner)
        == ("640", "root:adm"),
        f"{LINK}, which was added, leads to {target}, not to host.conf": target == "host.conf",
        f"{CHANGED}, which was changed, is the build's again": CHANGED_TEXT in machine.file(CHANGED).text,
        f"{REMOVED}, which was removed, is back": not machine.file(REMOVED).exists,
    }
    assert all(kept.values()), "\n".join(says for says, right in kept.items() if not right)


@pytest.mark.kola(timeout="15m", guide="10.2.2#upgrade", tags=["audit", "rpm-ostree"])
@pytest.mark.machine(prepare=upgraded)
def test_upgrade_keeps_packages(machine: Machine) -> None:
    """A package that was layered is layered, and its files are there, after an upgrade."""
    (now,) = [one for one in deployments(machine) if one.booted]
    requested = (*now.local, *now.requested, *now.packages)
    assert any(PROBE.name in one for one in requested), f"the upgrade forgot {PROBE.name}, which was layered"
    found = machine.run(f"rpm -q {PROBE.name} && {PROBE.name}")
    assert found.ok, (
        f"{PROBE.name} is requested, and not there: {found.stdout.strip()} {found.stderr.strip()}"
    )


@pytest.mark.kola(timeout="15m", guide="9.4.2#permanent", tags=["audit", "rpm-ostree"])
@pytest.mark.machine(prepare=upgraded)
def test_upgrade_keeps_the_way_back(collection: Collection, build: Build, distro: Distro) -> None:
    """After an upgrade the older deployment, its /etc and boot entry, remotes and origin are as before."""
    record = collection.record("upgraded")
    found = updates.way_back(record, collection.record(), VERSION, build.meta.ostree_commit)
    ours = (ADDED, CHANGED, LINK, REMOVED)
    assert_none([*found, *(one for one in updates.kept_etc(record, distro) if one.item not in ours)])

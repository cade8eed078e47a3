"""The audits again on a machine after a reboot, and on one after an upgrade: there is nothing new."""

from __future__ import annotations

import pytest

from harness.artifact import Distro
from harness.machine.machine import Machine
from testsuites.audit import (
    accounts,
    booting,
    clock,
    commit,
    declared,
    engines,
    etc,
    health,
    hooks,
    listeners,
    modes,
    names,
    network,
    packets,
    programs,
    secrets,
    trust,
    units,
    updates,
    ways_in,
)
from testsuites.audit.collection import Collection
from testsuites.audit.finding import Finding
from testsuites.audit.record import Record
from testsuites.audit.states import (
    ADDED,
    CHANGED,
    CLOCK,
    IDENTITY,
    LEVELS,
    LINK,
    REMOVED,
    WHO,
    rebooted,
    upgraded,
)

pytestmark = pytest.mark.kola(tags=["audit"], timeout="15m")

SLACK = 300
"""Seconds by which a clock may be wrong after a reboot."""

second_boot = pytest.mark.machine(prepare=rebooted)
after_upgrade = pytest.mark.machine(prepare=upgraded)


def ways(record: Record, distro: Distro) -> list[Finding]:
    """All rules for ways in."""
    return [
        *ways_in.sshd_settings(record, distro),
        *ways_in.sshd_as_shipped(record),
        *ways_in.sshd_exceptions(record),
        *ways_in.authorized_keys(record),
        *ways_in.sshd_sockets(record),
        *ways_in.consoles(record, distro.consoles),
    ]


def rights(record: Record, distro: Distro, collection: Collection) -> list[Finding]:
    """All rules for accounts and rights."""
    return [
        *accounts.second_uid0(record, distro),
        *accounts.added_accounts(record, distro, collection.configured),
        *accounts.passwords(record),
        *accounts.shells(record, distro),
        *accounts.memberships(record, distro),
        *accounts.sudo_rights(record, distro),
        *accounts.polkit_rules(record),
        *accounts.setuid_files(record, distro),
        *accounts.login_stack(record),
        *accounts.subordinate_ids(record, distro),
    ]


def services(record: Record, distro: Distro, collection: Collection) -> list[Finding]:
    """All rules for what runs and listens."""
    return [
        *units.enabled_units(record, collection.configured),
        *units.missing_units(record, collection.configured),
        *units.unit_files(record, collection.configured),
        *engines.container_engines(record, distro),
        *health.unwell_units(record),
        *listeners.listeners(record, distro),
        *health.waits_for_network(record),
        *clock.keeps_time(record),
        *network.addresses_and_queues(record),
        *names.resolvers(record),
        *names.of_containers(record),
        *trust.engine_commands(record, collection.configured),
        *trust.registries(record, collection.configured),
        *packets.traffic(record),
    ]


def kernel(record: Record, distro: Distro) -> list[Finding]:
    """All rules for boot and kernel."""
    return [
        *booting.command_line(record, distro),
        *booting.boot_entries(record, distro),
        *booting.mounts(record),
        *booting.kernel_settings(record),
        *booting.journal_settings(record),
    ]


def content(record: Record, distro: Distro, collection: Collection) -> list[Finding]:
    """All rules for files and remotes; what the upgrade's own test changes in /etc is known."""
    found = [
        *modes.world_writable(record),
        *declared.as_declared(record),
        *secrets.secrets(record),
        *hooks.planted_jobs(record),
        *names.foreign_hosts(record),
        *etc.trusted(record, distro),
        *programs.shadowed(record),
        *commit.commit_is_whole(record),
        *etc.etc_differences(record, distro, collection.configured),
        *updates.remotes(record, distro),
        *trust.authorities(record, collection.configured),
    ]
    return [finding for finding in found if finding.item not in (ADDED, CHANGED, LINK, REMOVED)]


@pytest.mark.kola(guide="9.2#keys-only")
@second_boot
def test_second_boot_opens_no_way_in(collection: Collection, distro: Distro) -> None:
    """After a reboot there is no way in that the first boot did not have."""
    collection.assert_nothing_new("second-boot", lambda record: ways(record, distro))


@pytest.mark.kola()
@second_boot
def test_second_boot_gives_no_rights(collection: Collection, distro: Distro) -> None:
    """After a reboot nobody has rights that the first boot did not give."""
    collection.assert_nothing_new("second-boot", lambda record: rights(record, distro, collection))


@pytest.mark.kola(guide="9.2#docker-off")
@second_boot
def test_second_boot_starts_nothing(collection: Collection, distro: Distro) -> None:
    """After a reboot nothing runs, listens or fails that did not at the first boot."""
    collection.assert_nothing_new("second-boot", lambda record: services(record, distro, collection))


@pytest.mark.kola(guide="5.4#kernel-arguments")
@second_boot
def test_second_boot_has_the_same_kernel(collection: Collection, distro: Distro) -> None:
    """After a reboot kernel arguments, boot entries, mounts and settings are those of the first boot."""
    collection.assert_nothing_new("second-boot", lambda record: kernel(record, distro))


@pytest.mark.kola()
@second_boot
def test_second_boot_changes_no_files(collection: Collection, distro: Distro) -> None:
    """After a reboot /etc, modes, owners and remotes are those of the first boot."""
    collection.assert_nothing_new("second-boot", lambda record: content(record, distro, collection))


@pytest.mark.kola()
@second_boot
def test_second_boot_changes_no_deployment(collection: Collection, distro: Distro) -> None:
    """After a reboot /usr, the deployment, its origin and os-release are those of the first boot."""

    def rules(record: Record) -> list[Finding]:
        return [
            *commit.committed(record),
            *updates.origins(record, distro),
            *updates.os_release(record, distro, None),
        ]

    collection.assert_nothing_new("second-boot", rules, with_commit=True)


@pytest.mark.kola()
@second_boot
def test_the_machine_stays_itself(machine: Machine) -> None:
    """After a reboot the machine has its id, its name and its host keys."""
    before = machine.file(IDENTITY).text.splitlines()
    now = machine.run(WHO, sudo=True).check().lines
    assert len(before) > 3, "the machine's identity could not be read before the reboot"
    changed = [f"{was!r} → {is_!r}" for was, is_ in zip(before, now, strict=False) if was != is_]
    assert not changed, f"a reboot changed {'; '.join(changed)}"
    assert len(now) == len(before), "a reboot changed the number of host keys"


@pytest.mark.kola()
@second_boot
def test_the_clock_goes_on(machine: Machine) -> None:
    """The journal of the second boot has no line of before it, and none of the future."""
    before, now = (int(text) for text in machine.run(f"cat {CLOCK}; date +%s").check().lines)
    # kola sets the clock when it comes to a machine; what the boot itself had is in the journal.
    for words in (f"--until=@{before - SLACK}", f"--since=@{now + SLACK}"):
        shown = machine.run(f"journalctl -b -q -n 1 -o short-iso --no-pager {words}", sudo=True)
        assert not shown.lines, f"a reboot moved the clock: {shown.stdout.strip()[:120]}"


@pytest.mark.kola()
@second_boot
def test_the_journal_keeps_every_level(machine: Machine) -> None:
    """A line logged at each level before a reboot is in the journal of the boot before."""
    shown = machine.run("journalctl -b -1 -t kola-audit -o cat --no-pager", sudo=True)
    assert shown.ok, f"the journal has nothing of the boot before: {shown.stderr.strip()}"
    kept = shown.lines
    lost = [level for level in LEVELS if f"kola-{level}" not in kept]
    assert not lost, f"the journal lost what was logged as {', '.join(lost)}"


@pytest.mark.kola(guide="9.2#keys-only", tags=["audit", "rpm-ostree"])
@after_upgrade
def test_upgrade_opens_nothing(collection: Collection, distro: Distro) -> None:
    """After an upgrade there is no way in and no right that was not there before."""
    collection.assert_nothing_new(
        "upgraded", lambda record: [*ways(record, distro), *rights(record, distro, collection)]
    )


@pytest.mark.kola(guide="9.2#docker-off", tags=["audit", "rpm-ostree"])
@after_upgrade
def test_upgrade_starts_nothing(collection: Collection, distro: Distro) -> None:
    """After an upgrade nothing runs, listens or fails that did not before."""
    collection.assert_nothing_new("upgraded", lambda record: services(record, distro, collection))


@pytest.mark.kola(tags=["audit", "rpm-ostree"])
@after_upgrade
def test_upgrade_changes_nothing_else(collection: Collection, distro: Distro) -> None:
    """After an upgrade kernel, mounts, modes and remotes are as before."""
    collection.assert_nothing_new(
        "upgraded", lambda record: [*kernel(record, distro), *content(record, distro, collection)]
    )

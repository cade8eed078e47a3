"""The rules of the audits by short names, each as a function of a record."""

from __future__ import annotations

from collections.abc import Callable

from audit_samples import COMMIT

from harness.artifact.distro import NESTOS
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
    proofs,
    secrets,
    trust,
    units,
    updates,
    ways_in,
)
from testsuites.audit.configured import Configured
from testsuites.audit.finding import Finding
from testsuites.audit.record import Record

NOTHING = Configured()
RULES: dict[str, Callable[[Record], list[Finding]]] = {
    "tools": proofs.broken_tools,
    "packages": proofs.broken_packages,
    "uids": lambda record: accounts.second_uid0(record, NESTOS),
    "added accounts": lambda record: accounts.added_accounts(record, NESTOS, NOTHING),
    "hosts": names.foreign_hosts,
    "passwords": accounts.passwords,
    "shells": lambda record: accounts.shells(record, NESTOS),
    "memberships": lambda record: accounts.memberships(record, NESTOS),
    "sudo": lambda record: accounts.sudo_rights(record, NESTOS),
    "polkit": accounts.polkit_rules,
    "system bus": accounts.bus_names,
    "subids": lambda record: accounts.subordinate_ids(record, NESTOS),
    "setuid": lambda record: accounts.setuid_files(record, NESTOS),
    "login stack": accounts.login_stack,
    "modes": modes.world_writable,
    "jobs": hooks.planted_jobs,
    "secrets": secrets.secrets,
    "etc": lambda record: etc.etc_differences(record, NESTOS, NOTHING),
    "sshd": lambda record: ways_in.sshd_settings(record, NESTOS),
    "sshd as shipped": ways_in.sshd_as_shipped,
    "programs": programs.shadowed,
    "trust": lambda record: etc.trusted(record, NESTOS),
    "packets": packets.traffic,
    "older etc": lambda record: updates.kept_etc(record, NESTOS),
    "unit files": lambda record: units.unit_files(record, NOTHING),
    "names": names.resolvers,
    "declared": declared.as_declared,
    "aged": declared.aged_stores,
    "limits of users": engines.users_limits,
    "proxies": lambda record: trust.proxies(record, NOTHING),
    "network": network.addresses_and_queues,
    "container names": names.of_containers,
    "engine commands": lambda record: trust.engine_commands(record, NOTHING),
    "registries": lambda record: trust.registries(record, NOTHING),
    "authorities": lambda record: trust.authorities(record, NOTHING),
    "clock": clock.keeps_time,
    "exceptions": ways_in.sshd_exceptions,
    "keys": ways_in.authorized_keys,
    "key types": lambda record: ways_in.key_types(record, NESTOS),
    "consoles": lambda record: ways_in.consoles(record, NESTOS.consoles),
    "sshd sockets": ways_in.sshd_sockets,
    "enabled": lambda record: units.enabled_units(record, NOTHING),
    "missing": lambda record: units.missing_units(record, NOTHING),
    "engines": lambda record: engines.container_engines(record, NESTOS),
    "unwell": health.unwell_units,
    "online": health.waits_for_network,
    "listeners": lambda record: listeners.listeners(record, NESTOS),
    "cmdline": lambda record: booting.command_line(record, NESTOS),
    "entries": lambda record: booting.boot_entries(record, NESTOS),
    "mounts": booting.mounts,
    "sysctl": booting.kernel_settings,
    "journal": booting.journal_settings,
    "remotes": lambda record: updates.remotes(record, NESTOS),
    "room": updates.room,
    "origins": lambda record: updates.origins(record, NESTOS, commit=COMMIT),
    "os-release": lambda record: updates.os_release(record, NESTOS, "1.0"),
    "usr": commit.committed,
    "commit": commit.commit_is_whole,
    "commit's list": proofs.broken_commit,
}


def items(rule: str, sample: Record) -> set[str]:
    """Return the items that the rule's findings name."""
    return {finding.item for finding in RULES[rule](sample)}

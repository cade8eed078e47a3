"""Judgements of audits on more than one item: every road to docker, presets, configs, upgrades."""

from __future__ import annotations

import json
from datetime import date

import pytest
from audit_samples import CANARY, COMMIT, ENTRY, SECTIONS, WANTS, bad, record

from harness.artifact.distro import NESTOS
from harness.ignition import IgnitionConfig
from kola.facts.approvals import Approval
from testsuites.audit import accounts, engines, etc, health, units, updates, ways_in
from testsuites.audit.configured import Configured
from testsuites.audit.finding import assert_none

NOTHING = Configured()


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"passwordauthentication": "yes"}, "passwordauthentication is yes for root"),
        ({"kbdinteractiveauthentication": "yes"}, "kbdinteractiveauthentication is yes for root"),
        ({"authorizedkeyscommand": "/usr/local/bin/keys"}, "authorizedkeyscommand is /usr/local/bin/keys"),
        ({"authorizedkeysfile": "/etc/ssh/keys/%u"}, "authorizedkeysfile is /etc/ssh/keys/%u"),
        ({"permitrootlogin": "forced-commands-only"}, "permitrootlogin is forced-commands-only"),
        ({"denyusers": "nest"}, "denyusers is nest"),
        ({"ciphers": "aes128-ctr,3des-cbc"}, "ciphers has 3des-cbc"),
        ({"subsystem": "sftp /bin/sh"}, "subsystem is sftp /bin/sh"),
    ],
)
def test_a_setting_of_one_user_is_found_in_both_ways(settings: dict[str, str], says: str) -> None:
    sample = record(sshd={"root": settings})
    (found,) = ways_in.sshd_settings(sample, NESTOS)
    assert says in found.says
    (exception,) = ways_in.sshd_exceptions(sample)
    assert exception.item == "root from 203.0.113.7"


@pytest.mark.parametrize(
    ("line", "instead"),
    [
        ("ActiveState=inactive", "ActiveState=active"),
        ("UnitFileState=disabled", "UnitFileState=enabled"),
        ("WantedBy=", "WantedBy=multi-user.target"),
        ("TriggeredBy=docker.socket", "TriggeredBy=late.timer docker.socket"),
    ],
)
def test_docker_is_found_by_every_road(line: str, instead: str) -> None:
    lines = list(SECTIONS["engines"])
    lines[lines.index(line)] = instead
    (found,) = engines.container_engines(record(instead={"engines": lines}), NESTOS)
    assert found.item == "docker.service"


CHANGES = record(
    add={
        "files": [
            "f 644 0 0 9 /etc/kola-mine\t",
            "f 644 0 0 9 /etc/systemd/system/kola-mine.service\t",
            "f 644 0 0 9 /etc/systemd/system/chronyd.service.d/10-kola-mine.conf\t",
            f"l 777 0 0 9 {WANTS}/kola-mine.service\t/etc/systemd/system/kola-mine.service",
            "f 644 0 0 9 /etc/yours\t",
            "f 644 0 0 9 /etc/systemd/system/yours.service\t",
            f"l 777 0 0 9 {WANTS}/yours.service\t/etc/systemd/system/yours.service",
        ]
    }
)
CONFIG = {
    "ignition": {"version": "3.3.0"},
    "storage": {"files": [{"path": "/etc/kola-mine"}, {"path": "/etc/yours"}]},
    "systemd": {
        "units": [
            {"name": "kola-mine.service", "enabled": True, "contents": "[Service]"},
            {"name": "yours.service", "enabled": True, "contents": "[Service]"},
            {"name": "chronyd.service", "dropins": [{"name": "10-kola-mine.conf", "contents": "[Service]"}]},
        ]
    },
}


def _changes(configured: Configured) -> set[str]:
    found = etc.etc_differences(CHANGES, NESTOS, configured)
    found += [*units.enabled_units(CHANGES, configured), *units.unit_files(CHANGES, configured)]
    return {finding.item for finding in found}


def test_what_the_harness_writes_is_no_change_and_what_a_config_appends_is_one() -> None:
    configured = Configured.of(IgnitionConfig.parse(json.dumps(CONFIG)))
    yours = {"/etc/yours", "/etc/systemd/system/yours.service", "yours.service"}
    assert _changes(configured) == yours
    assert "kola-mine.service" in _changes(Configured())


def test_what_the_sources_approve_is_no_change() -> None:
    day = date(2025, 9, 1)
    approvals = [
        Approval("files", "/etc/*yours*", "a mirror", day),
        Approval("enabled-units", "yours.service", "an agent", day),
    ]
    configured = Configured.of(IgnitionConfig.parse(json.dumps(CONFIG))).approved(approvals)
    assert _changes(configured) == set()


def test_one_restart_by_a_watchdog_is_a_starving_hosts() -> None:
    once = ["Id=journald.service", "NRestarts=1", "WatchdogUSec=3min"]
    assert health.unwell_units(record(add={"services": once})) == []
    twice = ["Id=journald.service", "NRestarts=2", "WatchdogUSec=3min"]
    (found,) = health.unwell_units(record(add={"services": twice}))
    assert found.item == "journald.service"


def test_a_property_belongs_to_its_own_unit() -> None:
    shown = ["Id=a.service", "ActiveState=active", "--", "Listen=/run/b (Stream)", "Id=b.socket"]
    one, other = record(instead={"services": shown}).shown("services")
    assert (one.get("Listen"), other["Listen"]) == (None, "/run/b (Stream)")


def test_links_to_units_are_judged_once() -> None:
    sample = record(add={"files": ["l 777 0 0 9 /etc/systemd/system/x.service\t/dev/null"]})
    assert etc.etc_differences(sample, NESTOS, NOTHING) == []
    assert units.missing_units(sample, NOTHING) != []


def test_presets_of_etc_come_first_and_also_enables() -> None:
    link = f"l 777 0 0 9 {WANTS}/helper.service\t/usr/lib/systemd/system/helper.service"
    also = ["/usr/lib/systemd/system/sshd.service:Also=helper.service"]
    assert units.enabled_units(record(add={"files": [link], "install": also}), NOTHING) == []
    ours = "/etc/systemd/system-preset/10.preset"
    digests = [f"{'4' * 64}  {place}{ours}" for place in ("", "/usr")]
    added = {"files": [link], "presets": [f"{ours}:enable helper.service"]}
    assert units.enabled_units(record(add=added | {"digests": digests}), NOTHING) == []
    assert units.enabled_units(record(add=added), NOTHING) != []


def test_a_changed_file_of_etc_is_shown_without_its_secrets() -> None:
    changes = [f"/etc/profile\t{text}" for text in ("-umask 022", "+umask 000", "+TOKEN=x", "+a", "+b", "+c")]
    digests = [f"{'2' * 64}  /etc/profile", *SECTIONS["digests"][2:]]
    (found,) = etc.etc_differences(
        record(instead={"digests": digests, "etc-changes": changes}), NESTOS, NOTHING
    )
    assert found.says == "has other content: +umask 000 / +a / +b"


def test_an_upgrade_that_drops_an_argument_is_named() -> None:
    sample = record(add={"entries": [f"{ENTRY}:options root=/dev/vda4 rw"]})
    before = ["BOOT_IMAGE=/x", "root=/dev/vda4", "rw", "mitigations=auto,nosmt", "kola.mine"]
    found = updates.kept_arguments(sample, before)
    assert [(one.item, one.says) for one in found] == [
        ("/proc/cmdline", "it lost kola.mine"),
        ("ostree-1-nestos.conf", "it lost kola.mine"),
        ("ostree-2-nestos.conf", "it lost mitigations=auto,nosmt kola.mine"),
    ]


def test_an_upgrade_that_loses_the_older_deployment_is_named() -> None:
    found = updates.way_back(record(), record(), "2.0", COMMIT)
    assert {one.rule for one in found} == {
        "an upgrade keeps the older deployment",
        "an upgrade boots the new version",
    }


def test_a_failure_names_rule_item_and_reason_first() -> None:
    with pytest.raises(AssertionError, match=r"^only root has uid 0: toor: has uid 0"):
        assert_none(accounts.second_uid0(bad("passwd", "toor:x:0:0::/root:/bin/sh"), NESTOS))


def test_no_rule_sees_what_the_collector_planted() -> None:
    assert not [file for file in record().files if file.path.startswith(CANARY)]

"""Rules about files, contents and origin: each finds its bad item and names it."""

from __future__ import annotations

import pytest
from audit_rules import items
from audit_samples import COMMIT, SECTIONS, bad, record

from testsuites.audit.record import Record


@pytest.mark.parametrize(
    ("rule", "sample", "item"),
    [
        ("hosts", bad("hosts", "203.0.113.9 repo.openeuler.org"), "/etc/hosts"),
        ("hosts", bad("hosts", "127.0.1.1 localhost"), "/etc/hosts"),
        ("modes", bad("files", "f 644 1000 0 9 /etc/passwd\t"), "/etc/passwd"),
        ("modes", bad("files", "b 666 0 0 0 /dev/vda\t"), "/dev/vda"),
        ("modes", bad("files", "d 777 0 0 0 /run/drop\t"), "/run/drop"),
        ("modes", bad("files", "f 666 0 0 9 /etc/motd\t"), "/etc/motd"),
        ("modes", bad("files", "d 777 0 0 9 /var/lib/drop\t"), "/var/lib/drop"),
        ("modes", bad("files", "b 660 0 0 9 /var/lib/sda\t"), "/var/lib/sda"),
        ("modes", bad("files", "f 644 4711 0 9 /var/lib/orphan\t"), "/var/lib/orphan"),
        ("modes", bad("files", "f 644 0 0 9 /etc/gshadow\t"), "/etc/gshadow"),
        ("jobs", bad("files", "f 644 0 0 9 /etc/cron.d/evil\t"), "/etc/cron.d/evil"),
        (
            "jobs",
            bad("files", "f 755 0 0 9 /etc/systemd/system-generators/evil\t"),
            "/etc/systemd/system-generators/evil",
        ),
        ("secrets", bad("secrets", "/etc/pki/key.pem:-----BEGIN RSA PRIVATE KEY-----"), "/etc/pki/key.pem"),
        ("secrets", bad("files", "f 600 0 0 9 /var/roothome/.netrc\t"), "/var/roothome/.netrc"),
        ("etc", bad("files", "f 644 0 0 9 /etc/added\t"), "/etc/added"),
        ("etc", bad("files", "f 644 0 0 9 /usr/etc/gone\t"), "/etc/gone"),
        (
            "etc",
            record(instead={"digests": [f"{'2' * 64}  /etc/profile", *SECTIONS["digests"][2:]]}),
            "/etc/profile",
        ),
        ("remotes", bad("remotes", '/etc/ostree/remotes.d/x.conf:[remote "evil"]'), "evil"),
        (
            "remotes",
            bad("remotes", "/ostree/repo/config:min-free-space-percent=99"),
            "/ostree/repo/config",
        ),
        (
            "remotes",
            record(
                instead={
                    "remotes": [
                        '/etc/ostree/remotes.d/o.conf:[remote "openEuler"]',
                        "/etc/ostree/remotes.d/o.conf:url=http://evil",
                        *SECTIONS["remotes"][2:],
                    ]
                }
            ),
            "openEuler",
        ),
        ("origins", bad("ostree-status", f"  nestos {'b' * 64}.0"), "ostree admin status"),
        ("origins", record(instead={"ostree-status": [f"* nestos {'b' * 64}.0"]}), "b" * 12),
        ("origins", bad("origins", "/ostree/deploy/nestos/deploy/x.0.origin:refspec=evil:x"), "x.0.origin"),
        ("origins", bad("ostree-status", "    Pinned: yes"), "ostree admin status"),
        (
            "origins",
            bad("origins", "/ostree/deploy/nestos/deploy/x.0.origin:refspec=openEuler:nestos/x86_64/testing"),
            "x.0.origin",
        ),
        ("modes", bad("access-lists", "/etc/shadow"), "/etc/shadow"),
        ("modes", bad("attributes", "-----a--------e------- /etc/a b"), "/etc/a b"),
        (
            "jobs",
            bad(
                "binary-handlers",
                "/proc/sys/fs/binfmt_misc/x:enabled",
                "/proc/sys/fs/binfmt_misc/x:interpreter /usr/bin/env",
                "/proc/sys/fs/binfmt_misc/x:flags: OC",
            ),
            "binfmt_misc x",
        ),
        ("declared", bad("files", "d 755 0 0 9 /tmp\t"), "/tmp"),
        ("declared", bad("files", "d 755 0 0 9 /var/log\t"), "/var/log"),
        ("declared", bad("files", "d 750 0 0 9 /var/log\t"), "/var/log"),
        ("declared", bad("files", "d 755 1000 0 9 /run/other\t"), "/run/other"),
        (
            "modes",
            record(
                add={"swaps": ["/var/swap file 1 0 -2"], "files": ["f 644 0 0 9 /var/swap\t"]},
            ),
            "/var/swap",
        ),
        ("usr", bad("committed-errors", "error: No such metadata object"), "ostree ls"),
        ("room", record(instead={"space": ["/boot 400 19 200"]}), "/boot"),
        ("room", record(instead={"space": ["/boot 400 300 9"]}), "/boot"),
        ("room", record(instead={"space": ["/ 10000 999 5000"]}), "/"),
        (
            "os-release",
            record(instead={"os-release": ["OSTREE_VERSION=1.0", "ID=evil"]}),
            "ID and VARIANT_ID",
        ),
        ("usr", bad("files", "f 755 0 0 9 /usr/bin/evil\t"), "/usr/bin/evil"),
        ("usr", bad("committed", f"-00755 0 0 9 {'d' * 64} /usr/bin/gone"), "/usr/bin/gone"),
        ("usr", bad("files", "f 6755 0 0 200 /usr/bin/rpm\t"), "/usr/bin/rpm"),
        ("usr", bad("files", "f 755 0 0 201 /usr/bin/rpm\t"), "/usr/bin/rpm"),
        ("usr", bad("unlinked", "/usr/bin/rpm"), "/usr/bin/rpm"),
        ("commit", record(instead={"commit": [f"{COMMIT} {'b' * 64}"]}), COMMIT[:12]),
        ("usr", bad("retimed", "/usr/bin/bash"), "/usr/bin/bash"),
        ("commit's list", record(instead={"committed": []}), "ostree"),
        ("jobs", bad("files", "f 755 0 0 9 /etc/udev/rules.d/99.rules\t"), "/etc/udev/rules.d/99.rules"),
        (
            "jobs",
            bad("files", "f 755 0 0 9 /etc/systemd/system-shutdown/evil\t"),
            "/etc/systemd/system-shutdown/evil",
        ),
        ("secrets", bad("files", "f 600 0 0 9 /var/roothome/.ssh/id_rsa\t"), "/var/roothome/.ssh/id_rsa"),
        ("secrets", bad("secrets", "/etc/token:ghp_0123456789"), "/etc/token"),
        ("os-release", record(instead={"os-release": ["OSTREE_VERSION=2.0"]}), "OSTREE_VERSION"),
        (
            "programs",
            bad("files", "f 755 0 0 9 /var/usrlocal/bin/sudo\t"),
            "/var/usrlocal/bin/sudo",
        ),
        (
            "programs",
            bad("files", "f 755 0 0 9 /var/usrlocal/lib/libc.so.6\t"),
            "/var/usrlocal/lib/libc.so.6",
        ),
        ("programs", bad("files", "f 644 0 0 9 /var/home/nest/.bashrc\t"), "/var/home/nest/.bashrc"),
        ("programs", bad("files", "f 644 0 0 9 /var/roothome/.ssh/rc\t"), "/var/roothome/.ssh/rc"),
        (
            "jobs",
            bad("files", "f 644 0 0 9 /var/usrlocal/share/dbus-1/system-services/x.service\t"),
            "/var/usrlocal/share/dbus-1/system-services/x.service",
        ),
        ("jobs", bad("files", "f 644 0 0 9 /etc/modules-load.d/x.conf\t"), "/etc/modules-load.d/x.conf"),
        ("secrets", bad("passwords", "/etc/default/x:MQTT_PASSWORD=hunter2"), "/etc/default/x"),
        ("secrets", bad("passwords", "/etc/x.conf:proxy=http://me:secret@proxy/"), "/etc/x.conf"),
        ("modes", bad("files", "f 640 0 1000 9 /etc/shadow\t"), "/etc/shadow"),
        ("modes", bad("files", "f 644 0 0 9 /etc/ssh/ssh_host_rsa_key\t"), "/etc/ssh/ssh_host_rsa_key"),
        ("modes", bad("files", "d 775 1000 1000 9 /var/home/nest\t"), "/var/home/nest"),
        ("modes", bad("files", "d 700 0 0 9 /var/home/nest\t"), "/var/home/nest"),
        ("modes", bad("files", "d 755 0 0 40 /dev/shm\t"), "/dev/shm"),
        ("modes", bad("files", "c 600 0 0 0 /dev/null\t"), "/dev/null"),
        ("modes", bad("files", "d 755 0 0 9 /var/home/nest/.config\t"), "/var/home/nest/.config"),
        ("modes", bad("files", "b 660 0 1000 0 /dev/sda\t"), "/dev/sda"),
        ("programs", bad("files", "f 755 0 0 9 /var/lib/miner\t"), "/var/lib/miner"),
        ("programs", bad("files", "f 644 0 0 9 /var/roothome/.curlrc\t"), "/var/roothome/.curlrc"),
        ("programs", bad("files", "f 644 0 0 9 /var/home/nest/.ssh/config\t"), "/var/home/nest/.ssh/config"),
        (
            "programs",
            bad("files", "f 644 0 0 9 /var/roothome/.config/containers/policy.json\t"),
            "/var/roothome/.config/containers/policy.json",
        ),
        ("trust", bad("files", "f 644 0 0 9 /etc/hosts.allow\t"), "/etc/hosts.allow"),
        ("trust", bad("files", "f 644 0 0 9 /etc/ld.so.conf.d/00.conf\t"), "/etc/ld.so.conf.d/00.conf"),
        (
            "trust",
            record(
                add={
                    "files": ["f 644 0 0 9 /etc/rpm/x\t", "f 644 0 0 9 /usr/etc/rpm/x\t"],
                    "digests": [f"{'3' * 64}  /etc/rpm/x", f"{'4' * 64}  /usr/etc/rpm/x"],
                }
            ),
            "/etc/rpm/x",
        ),
        ("older etc", bad("other-etc", f"{'8' * 64}  {'c' * 64}.0 etc/added"), "/etc/added"),
        (
            "older etc",
            bad(
                "other-etc",
                f"{'8' * 64}  {'c' * 64}.0 etc/sudoers",
                f"{'9' * 64}  {'c' * 64}.0 usr/etc/sudoers",
            ),
            "/etc/sudoers",
        ),
        ("hosts", bad("hosts", "127.0.0.1 repo.openeuler.org"), "/etc/hosts"),
    ],
)
def test_a_bad_item_is_found_and_named(rule: str, sample: Record, item: str) -> None:
    assert item in items(rule, sample)

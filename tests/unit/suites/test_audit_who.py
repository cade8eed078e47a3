"""Rules about accounts, rights and ways in: each finds its bad item and names it."""

from __future__ import annotations

import pytest
from audit_rules import items
from audit_samples import SECTIONS, bad, record

from testsuites.audit.record import Record


@pytest.mark.parametrize(
    ("rule", "sample", "item"),
    [
        ("uids", bad("passwd", "toor:x:0:0::/root:/bin/sh"), "toor"),
        ("uids", bad("passwd", "twin:x:1000:1001::/:/sbin/nologin"), "1000"),
        ("uids", bad("passwd", "helper:x:998:0::/:/sbin/nologin"), "helper"),
        ("added accounts", bad("passwd", "ghost:x:1500:1500::/:/usr/sbin/nologin"), "ghost"),
        ("sudo", bad("files", "f 644 0 0 9 /etc/sudo.conf\t"), "/etc/sudo.conf"),
        ("passwords", bad("shadow", "guest::1::::::"), "guest"),
        ("passwords", bad("shadow", "guest:$6$salt$hash:1::::::"), "guest"),
        ("passwords", bad("passwd", "guest::1001:1001::/:/bin/sh"), "guest"),
        ("passwords", bad("passwd", "ghost:x:1001:1001::/:/bin/sh"), "ghost"),
        ("passwords", bad("gshadow", "staff:$6$salt$hash::"), "group staff"),
        ("shells", bad("passwd", "games:x:5:60::/:/bin/sh"), "games"),
        ("shells", bad("passwd", "games:x:5:60::/:"), "games"),
        ("memberships", bad("getent-group", "docker:x:996:nobody"), "nobody"),
        ("memberships", bad("passwd", "eve:x:1001:10::/:/sbin/nologin"), "eve"),
        ("sudo", bad("sudo", "nobody:     (ALL) NOPASSWD: ALL"), "nobody"),
        (
            "polkit",
            bad("polkit", "/etc/polkit-1/rules.d/1.rules:return polkit.Result.YES;"),
            "/etc/polkit-1/rules.d/1.rules",
        ),
        ("system bus", bad("bus-names", "org.freedesktop.login1: u 3"), "org.freedesktop.login1"),
        ("sudo", bad("sudo", "root:     env_reset, mail_badpass, !syslog"), "sudo"),
        (
            "login stack",
            bad("variables", "/etc/security/pam_env.conf:BASH_ENV DEFAULT=/var/lib/x"),
            "/etc/security/pam_env.conf",
        ),
        ("subids", record(instead={"subuid": []}), "/etc/subuid"),
        ("subids", bad("subgid", "eve:120000:65536"), "/etc/subgid"),
        ("setuid", bad("files", "f 4755 0 0 9 /var/lib/sh\t"), "/var/lib/sh"),
        ("setuid", bad("files", "f 2755 0 0 9 /usr/bin/vim\t"), "/usr/bin/vim"),
        ("setuid", bad("capabilities", "/usr/bin/tar cap_setuid=ep"), "/usr/bin/tar"),
        ("login stack", bad("pam", "/etc/pam.d/sshd:auth sufficient pam_permit.so"), "/etc/pam.d/sshd"),
        (
            "login stack",
            bad("pam", "/etc/pam.d/su:auth sufficient pam_succeed_if.so uid >= 1"),
            "/etc/pam.d/su",
        ),
        (
            "login stack",
            bad("pam", "/etc/pam.d/su:auth sufficient pam_wheel.so trust use_uid"),
            "/etc/pam.d/su",
        ),
        ("login stack", bad("files", "f 644 0 0 9 /etc/ld.so.preload\t"), "/etc/ld.so.preload"),
        ("login stack", bad("files", "f 644 0 0 9 /var/roothome/.shosts\t"), "/var/roothome/.shosts"),
        (
            "keys",
            bad("secrets", "/var/roothome/.ssh/authorized_keys:ssh-rsa AAAAB3vendor sales@vendor"),
            "/var/roothome/.ssh/authorized_keys",
        ),
        (
            "keys",
            bad("secrets", "/etc/ssh/keys/nest:ssh-ed25519 AAAAC3NzaC1lZDI1NTE5OURS kola"),
            "/etc/ssh/keys/nest",
        ),
        ("consoles", bad("processes", "8 root agetty /sbin/agetty --autologin root tty1"), "tty1"),
        (
            "consoles",
            bad("gettys", "Id=getty@tty1.service", "ExecStart={ argv[]=/sbin/agetty --autologin root %I }"),
            "getty@tty1.service",
        ),
        ("consoles", bad("units", "debug-shell.service loaded active running Shell"), "debug-shell.service"),
        ("consoles", record(instead={"units": SECTIONS["units"][:-1]}), "ttyS0"),
        (
            "sshd sockets",
            bad("sockets", 'tcp LISTEN 0 1 *:2222 *:* users:(("sshd",pid=1,fd=3))'),
            "tcp *:2222",
        ),
        (
            "exceptions",
            bad("sshd-matches", "/etc/ssh/sshd_config:Match Address 192.168.0.0/16"),
            "/etc/ssh/sshd_config",
        ),
        (
            "polkit",
            bad("files", "f 644 0 0 9 /etc/polkit-1/rules.d/0.rules\t"),
            "/etc/polkit-1/rules.d/0.rules",
        ),
        ("sudo", bad("files", "f 440 0 0 9 /etc/sudoers.d/evil\t"), "/etc/sudoers.d/evil"),
        ("login stack", bad("files", "f 644 0 0 9 /etc/pam.d/evil\t"), "/etc/pam.d/evil"),
        ("memberships", bad("getent-group", "tape:x:26:nest2", "root2:x:27:root"), "root"),
        ("subids", bad("subuid", "nest:1000:10"), "/etc/subuid"),
        ("consoles", bad("cgroups", "77 1 ttyS1 bash 0::/system.slice/evil.service"), "ttyS1"),
        ("sshd as shipped", record(sshd={"nobody": {"maxauthtries": "100"}}), "maxauthtries"),
        (
            "sshd sockets",
            bad("unit-files", "/etc/systemd/system/help@.service:ExecStart=-/usr/sbin/sshd -i -f /etc/x"),
            "/etc/systemd/system/help@.service",
        ),
    ],
)
def test_a_bad_item_is_found_and_named(rule: str, sample: Record, item: str) -> None:
    assert item in items(rule, sample)

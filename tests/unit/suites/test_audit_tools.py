"""Tools of the guest that lie: each is found and named."""

from __future__ import annotations

import pytest
from audit_rules import items
from audit_samples import CANARY, SECTIONS, bad, record

from testsuites.audit.record import Record


@pytest.mark.parametrize(
    ("rule", "sample", "item"),
    [
        ("tools", record(instead={"cgroups": []}), "ps"),
        ("tools", record(instead={"files": SECTIONS["files"][5:]}), "find"),
        ("tools", record(instead={"retimed": []}), "find"),
        ("tools", record(instead={"secrets": []}), "grep"),
        ("tools", record(instead={"sockets": SECTIONS["sockets"][1:]}), "ss"),
        ("tools", record(instead={"sudo": []}), "sudo"),
        ("tools", record(instead={"units": []}), "systemctl"),
        ("tools", record(instead={"capabilities": []}), "getcap"),
        ("tools", record(instead={"attributes": []}), "lsattr"),
        ("tools", record(instead={"access-lists": []}), "ls"),
        ("tools", record(instead={"space": []}), "df"),
        ("tools", record(instead={"loopback": []}), "ip"),
        ("tools", record(instead={"tmpfiles": []}), "systemd-tmpfiles"),
        ("tools", record(instead={"swaps": []}), "cat"),
        ("tools", record(instead={"bus-names": []}), "busctl"),
        ("tools", bad("boot-files", "two files that differ"), "cmp"),
        ("tools", bad("bus-names", "org.kola.Audit: sh: busctl: not found"), "busctl"),
        ("tools", record(instead={"processes-later": []}), "sh"),
        ("tools", record(instead={"authorities": ["known\t3"]}), "awk"),
        ("packages", record(instead={"packages": []}), "rpm"),
        ("tools", bad("globbed", "/etc/sudoers.d/.hidden"), "find"),
        ("tools", bad("cat-accounts", "toor:x:0:0::/:/bin/sh"), "cat"),
        (
            "tools",
            record(add={key: ["eve:x:1:1::/:/x"] for key in ("read-accounts", "cat-accounts")}),
            "getent",
        ),
        ("tools", record(instead={"digests": [f"{'0' * 64}  {CANARY}/secret"]}), "sha256sum"),
        ("tools", bad("read-sysctl", "fs/protected_symlinks = 0"), "sysctl"),
        ("tools", record(instead={"sshd-canary": ["passwordauthentication no"]}), "sshd"),
        ("tools", record(instead={"sudo": SECTIONS["sudo"][:3]}), "sudo"),
        ("tools", record(instead={"manager": ["u 1"]}), "systemctl"),
        ("tools", record(instead={"unix-sockets": []}), "ss"),
        ("tools", record(instead={"packet-rules-canary": ["planted", "*nat", "COMMIT"]}), "iptables-save"),
        ("tools", bad("read-interfaces", "/sys/class/net/tap0/"), "ip"),
        ("tools", record(instead={"routing-rules": []}), "ip"),
        ("tools", record(instead={"traffic": []}), "tc"),
    ],
)
def test_a_bad_item_is_found_and_named(rule: str, sample: Record, item: str) -> None:
    assert item in items(rule, sample)
